/** The dialog in which a message is edited and sent. */
import { Component, type ComponentChildren, createRef } from 'preact';
import type { Direction } from '../../frames.js';
import { titleOf } from '../connections/ends.js';
import { formatHex, HexError, parseHex } from '../contents/hex.js';
import { isText, textOf } from '../contents/text.js';
import { countOf } from '../format/size.js';
import type { Draft, Inspector } from '../session/inspector.js';
import { Modal } from './modal.js';

interface Props {
  inspector: Inspector;
  draft: Draft;
}

interface State {
  connection: number;
  direction: Direction;
  form: 'text' | 'hex';
  contents: string;
  error: string;
}

export class Composer extends Component<Props, State> {
  readonly #contents = createRef<HTMLTextAreaElement>();

  constructor(props: Props) {
    super(props);
    const { connection, direction, data } = props.draft;
    // A text area changes the ends of lines that have a carriage return.
    const isEditable = isText(data) && !textOf(data).includes('\r');
    this.state = {
      connection,
      direction,
      form: isEditable ? 'text' : 'hex',
      contents: isEditable ? textOf(data) : formatHex(data),
      error: '',
    };
  }

  override componentDidMount(): void {
    this.#contents.current?.focus();
  }

  override render(): ComponentChildren {
    const { inspector, draft } = this.props;
    const { connection, direction, form, contents, error } = this.state;
    const connections = [...inspector.live.session.connections.values()].filter(
      (each) => each.number === connection || each.canSend(direction),
    );
    return (
      <Modal title="Edit and send" onClose={this.#close}>
        <form
          class="composer"
          onSubmit={(event) => {
            event.preventDefault();
            void this.#send();
          }}
        >
          <div class="fields">
            <label>
              Connection
              <select
                value={connection}
                onChange={(event) => this.setState({ connection: Number(event.currentTarget.value) })}
              >
                {connections.map((each) => (
                  <option key={each.number} value={each.number}>
                    #{each.number} {titleOf(each)}
                  </option>
                ))}
              </select>
            </label>
            <label>
              Direction
              <select
                value={direction}
                onChange={(event) => this.setState({ direction: event.currentTarget.value as Direction })}
              >
                <option value="to server">↑ to the server</option>
                <option value="to client">↓ to the client</option>
              </select>
            </label>
            <label>
              Form
              <select
                value={form}
                onChange={(event) => this.#convert(event.currentTarget.value as State['form'])}
              >
                <option value="text">Text (UTF-8)</option>
                <option value="hex">Hexadecimal</option>
              </select>
            </label>
          </div>
          <textarea
            ref={this.#contents}
            aria-label="Contents"
            spellcheck={false}
            rows={12}
            value={contents}
            onInput={(event) => this.setState({ contents: event.currentTarget.value, error: '' })}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void this.#send();
            }}
          />
          {draft.descriptors > 0 && (
            <p class="muted">{countOf(draft.descriptors, 'descriptor')} of the original will not be sent.</p>
          )}
          <p class="error" role="alert">
            {error}
          </p>
          <div class="modal-buttons">
            <button type="button" class="button" onClick={this.#close}>
              Cancel
            </button>
            <button type="submit" class="button primary" title="Ctrl+Enter">
              Send
            </button>
          </div>
        </form>
      </Modal>
    );
  }

  /** @throws {HexError} */
  get #bytes(): Uint8Array {
    const { form, contents } = this.state;
    return form === 'hex' ? parseHex(contents) : new TextEncoder().encode(contents);
  }

  #convert(form: State['form']): void {
    try {
      const bytes = this.#bytes;
      if (form === 'text' && (!isText(bytes) || textOf(bytes).includes('\r')))
        this.setState({ error: 'These bytes cannot be edited as text.' });
      else this.setState({ form, contents: form === 'hex' ? formatHex(bytes) : textOf(bytes), error: '' });
    } catch (error) {
      this.#showHexError(error);
    }
  }

  async #send(): Promise<void> {
    const { inspector } = this.props;
    const { connection, direction } = this.state;
    let bytes: Uint8Array;
    try {
      bytes = this.#bytes;
    } catch (error) {
      this.#showHexError(error);
      return;
    }
    const error = await inspector.send(connection, direction, bytes);
    if (error === undefined) this.#close();
    else this.setState({ error: `Not sent: ${error}` });
  }

  #showHexError(error: unknown): void {
    if (!(error instanceof HexError)) throw error;
    this.setState({ error: error.message });
  }

  readonly #close = (): void => {
    this.props.inspector.draft = undefined;
    this.props.inspector.changed();
  };
}
