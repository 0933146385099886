/** The list of messages. */
import { Component, type ComponentChildren, createRef } from 'preact';
import { previewOf } from '../contents/preview.js';
import { textOf } from '../contents/text.js';
import { countOf, formatSize } from '../format/size.js';
import { clockTime, exactTime, formatDuration } from '../format/time.js';
import { type RowPlace, VirtualList } from '../list/virtual-list.js';
import { DESCRIPTORS_LOST, EVENTS, NO_DIRECTION, SENT_AGAIN, TO_CLIENT } from '../messages/flags.js';
import type { Inspector } from '../session/inspector.js';

const ROW_HEIGHT = 22;
const NARROW_ROW_HEIGHT = 46;
const HEAD_HEIGHT = 24;

interface Props {
  inspector: Inspector;
  isNarrow: boolean;
}

export class MessageList extends Component<Props> {
  readonly #list = createRef<VirtualList>();

  /** How many rows a page has. */
  get pageRows(): number {
    return this.#list.current?.pageRows ?? 1;
  }

  override render(): ComponentChildren {
    const { inspector, isNarrow } = this.props;
    const { shown } = inspector;
    const { rows, generation } = shown.filtered;
    const active = shown.selected === undefined ? -1 : rows.indexOf(shown.selected);
    return (
      <div class="message-list-frame">
        <VirtualList
          ref={this.#list}
          id="messages"
          class="message-list"
          role="grid"
          label="Messages"
          attributes={{
            'aria-rowcount': rows.length + 1,
            'aria-colcount': 6,
            onClick: this.#onClick,
            onKeyDown: this.#onKeyDown,
          }}
          count={rows.length}
          rowHeight={isNarrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT}
          removed={rows.removed}
          generation={generation}
          isFollowing={shown.isFollowing}
          onFollow={(isFollowing) => {
            if (shown.isFollowing === isFollowing) return;
            shown.isFollowing = isFollowing;
            inspector.changed();
          }}
          active={active < 0 ? undefined : active}
          revealed={shown.revealed}
          head={<Head />}
          headHeight={isNarrow ? 0 : HEAD_HEIGHT}
          row={(place) => <Row inspector={inspector} number={rows.at(place.index)} {...place} />}
        />
        {rows.length === 0 && <Nothing inspector={inspector} />}
        {!shown.isFollowing && shown === inspector.live && inspector.status === 'live' && rows.length > 0 && (
          <button
            type="button"
            class="newest"
            onClick={() => {
              shown.isFollowing = true;
              inspector.changed();
            }}
          >
            ↓ Newest
          </button>
        )}
      </div>
    );
  }

  readonly #onClick = (event: MouseEvent): void => {
    const row = (event.target as Element).closest<HTMLElement>('[data-number]');
    if (row !== null) this.props.inspector.select(Number(row.dataset['number']));
  };

  readonly #onKeyDown = (event: KeyboardEvent): void => {
    const { inspector } = this.props;
    if (event.key === 'PageDown') inspector.shown.move(this.pageRows);
    else if (event.key === 'PageUp') inspector.shown.move(-this.pageRows);
    else return;
    event.preventDefault();
    inspector.changed();
  };
}

function Head(): ComponentChildren {
  return (
    <div class="list-head" role="rowgroup">
      <div class="message head" role="row" aria-rowindex={1}>
        {['Direction', 'Time', 'Connection', 'Size', 'Delay', 'Contents'].map((name, index) => (
          <span key={name} class={`cell-${name.toLowerCase()}`} role="columnheader" aria-colindex={index + 1}>
            {name === 'Direction' ? (
              <span class="hidden">{name}</span>
            ) : name === 'Connection' ? (
              'Conn.'
            ) : (
              name
            )}
          </span>
        ))}
      </div>
    </div>
  );
}

interface RowProps extends Omit<RowPlace, 'key'> {
  inspector: Inspector;
  number: number;
}

function Row({ inspector, number, index, style }: RowProps): ComponentChildren {
  const { shown } = inspector;
  const { store } = shown.session;
  const flags = store.flags(number);
  const isToClient = (flags & TO_CLIENT) !== 0;
  const event = store.event(number);
  const delay = store.delay(number);
  const isSelected = number === shown.selected;
  const isPartner =
    shown.selected !== undefined && store.has(shown.selected) && store.partner(shown.selected) === number;
  const isFound = shown.found !== undefined && shown.found.rows.indexOf(number) >= 0;
  const direction = (flags & NO_DIRECTION) !== 0 ? '' : isToClient ? 'to client' : 'to server';
  return (
    <div
      id={`messages-${index}`}
      class={`message ${direction.replace(' ', '-')} ${index % 2 === 0 ? '' : 'odd'} ${isPartner ? 'partner' : ''} ${isFound ? 'found' : ''}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      data-number={number}
      style={style}
    >
      <span class="cell-direction" role="gridcell">
        <span aria-hidden="true">{direction === '' ? '' : isToClient ? '↓' : '↑'}</span>
        <span class="hidden">{direction}</span>
      </span>
      <span class="cell-time" role="gridcell" title={exactTime(store.time(number))}>
        {clockTime(store.time(number))}
      </span>
      <span class="cell-connection" role="gridcell">
        #{store.connection(number)}
      </span>
      <span class="cell-size" role="gridcell">
        {event === 0 ? formatSize(store.size(number)) : ''}
      </span>
      <span
        class="cell-delay"
        role="gridcell"
        title={delay >= 0 && isToClient ? 'time since the request' : undefined}
      >
        {delay >= 0 && isToClient ? formatDuration(delay) : ''}
      </span>
      <span class="cell-contents" role="gridcell">
        {event === 0 ? (
          <Preview inspector={inspector} number={number} flags={flags} />
        ) : (
          <span class="event">{eventText(event, textOf(store.data(number)))}</span>
        )}
      </span>
    </div>
  );
}

function eventText(event: number, detail: string): string {
  return detail === '' ? EVENTS[event - 1]! : `${EVENTS[event - 1]}: ${detail}`;
}

interface PreviewProps {
  inspector: Inspector;
  number: number;
  flags: number;
}

function Preview({ inspector, number, flags }: PreviewProps): ComponentChildren {
  const { store } = inspector.shown.session;
  const descriptors = store.descriptors(number).length;
  return (
    <>
      {(flags & SENT_AGAIN) !== 0 && <span class="badge badge-again">sent again</span>}
      {descriptors > 0 && <span class="badge">{countOf(descriptors, 'fd')}</span>}
      {(flags & DESCRIPTORS_LOST) !== 0 && <span class="badge badge-error">fds lost</span>}
      {store.size(number) === 0 ? <span class="event">empty message</span> : previewOf(store.data(number))}
    </>
  );
}

/** Why there is no message. */
function Nothing({ inspector }: { inspector: Inspector }): ComponentChildren {
  const { shown } = inspector;
  let text = 'No messages yet. They appear here as they pass.';
  if (shown.isFiltering && shown.session.store.length > 0) text = 'Filtering …';
  else if (shown.session.store.length > 0) text = 'No message passes the filter.';
  else if (!shown.session.isLive) text = 'The recording has no messages.';
  return (
    <div class="empty list-empty">
      <p>{text}</p>
      {shown.session.store.length === 0 && <p>Drop a recording here to open it. ? shows the keys.</p>}
    </div>
  );
}
