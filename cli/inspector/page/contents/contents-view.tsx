/** The contents of a message: as text, as JSON, or in hexadecimal. */
import { Component, type ComponentChildren } from 'preact';
import type { ContentsTab, Inspector } from '../session/inspector.js';
import { HexView } from './hex-view.js';
import { type Json, jsonOf } from './json.js';
import { JsonTree } from './json-tree.js';
import { isText } from './text.js';
import { TextView } from './text-view.js';

const TABS: [tab: ContentsTab, text: string][] = [
  ['text', 'Text'],
  ['json', 'JSON'],
  ['hex', 'Hex'],
];

interface Props {
  inspector: Inspector;
  number: number;
  data: Uint8Array;
}

export class ContentsView extends Component<Props> {
  /** Of this message is known what it contains. */
  #number = -1;
  #json: Json | undefined;
  #isText = true;

  override render(): ComponentChildren {
    const { inspector, number, data } = this.props;
    if (this.#number !== number) {
      this.#number = number;
      this.#json = jsonOf(data);
      this.#isText = isText(data);
    }
    const tab = this.#tab;
    return (
      <>
        <div class="tabs" role="tablist" aria-label="Form of the contents" onKeyDown={this.#onKeyDown}>
          {TABS.map(([each, text], index) => (
            <button
              key={each}
              id={`tab-${each}`}
              type="button"
              role="tab"
              aria-selected={each === tab}
              aria-controls="contents"
              tabIndex={each === tab ? 0 : -1}
              disabled={each === 'json' && this.#json === undefined}
              title={`${text} (${index + 1})`}
              onClick={() => {
                inspector.tab = each;
                inspector.changed();
              }}
            >
              {text}
            </button>
          ))}
        </div>
        <div id="contents" class="contents" role="tabpanel" aria-labelledby={`tab-${tab}`}>
          {this.#contents(tab)}
        </div>
      </>
    );
  }

  get #tab(): ContentsTab {
    const { tab } = this.props.inspector;
    if (tab === 'json' && this.#json === undefined) return this.#isText ? 'text' : 'hex';
    return tab ?? (this.#json !== undefined ? 'json' : this.#isText ? 'text' : 'hex');
  }

  #contents(tab: ContentsTab): ComponentChildren {
    const { inspector, number, data } = this.props;
    if (data.length === 0) return <p class="empty">The message is empty.</p>;
    if (tab === 'hex') return <HexView key={number} data={data} />;
    if (tab === 'json' && this.#json !== undefined) return <JsonTree key={number} value={this.#json} />;
    const { search, input } = inspector.shown;
    return <TextView key={number} data={data} marked={search || input.text} />;
  }

  readonly #onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const tabs = TABS.map(([tab]) => tab).filter((tab) => tab !== 'json' || this.#json !== undefined);
    const next = tabs[(tabs.indexOf(this.#tab) + step + tabs.length) % tabs.length]!;
    this.props.inspector.tab = next;
    this.props.inspector.changed();
    document.getElementById(`tab-${next}`)?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
}
