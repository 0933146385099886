/** The list of connections. Those that are chosen are shown in the list of messages; all, if none is chosen. */
import { Component, type ComponentChildren } from 'preact';
import { Sparkline } from '../charts/sparkline.js';
import type { Connection } from '../connections/connection.js';
import { describeEnd, nameOf, titleOf } from '../connections/ends.js';
import { countOf, formatSize, shortCount } from '../format/size.js';
import { clockTime } from '../format/time.js';
import { type RowPlace, VirtualList } from '../list/virtual-list.js';
import type { Inspector } from '../session/inspector.js';

const ROW_HEIGHT = 74;

interface Props {
  inspector: Inspector;
}

export class ConnectionPane extends Component<Props> {
  /** The connection that the keys are for. */
  #active = 0;
  #revealed = 0;

  override render(): ComponentChildren {
    const { shown } = this.props.inspector;
    const { chosen, session } = shown;
    // The newest first.
    const connections = [...session.connections.values()].reverse();
    const open = connections.filter(({ state }) => state === 'open' || state === 'half-closed').length;
    this.#active = Math.min(this.#active, Math.max(0, connections.length - 1));
    return (
      <section class="connection-pane" aria-label="Connections">
        <div class="pane-head">
          <h2>Connections</h2>
          <span class="muted">
            {session.isLive ? `${open} open of ${connections.length}` : connections.length}
          </span>
          {chosen.size > 0 && (
            <button
              type="button"
              class="link"
              onClick={() => {
                shown.chooseAll();
                this.props.inspector.changed();
              }}
            >
              Show all
            </button>
          )}
        </div>
        {connections.length === 0 ? (
          <p class="empty">No connections yet</p>
        ) : (
          <VirtualList
            id="connections"
            class="connection-list"
            role="listbox"
            label="Connections"
            attributes={{
              'aria-multiselectable': true,
              onClick: (event) => this.#onClick(event, connections),
              onKeyDown: (event) => this.#onKeyDown(event, connections),
            }}
            count={connections.length}
            rowHeight={ROW_HEIGHT}
            active={this.#active}
            revealed={this.#revealed}
            row={(place) => this.#row(connections[place.index]!, place, connections.length)}
          />
        )}
      </section>
    );
  }

  #row(connection: Connection, { index, key, style }: RowPlace, count: number): ComponentChildren {
    const { shown } = this.props.inspector;
    const { number, client, server, state, traffic, queues } = connection;
    const toServer = traffic['to server'];
    const toClient = traffic['to client'];
    const waiting = queues === undefined ? 0 : queues.client + queues.server;
    return (
      <div
        key={key}
        id={`connections-${index}`}
        class={`connection ${index === this.#active ? 'active' : ''}`}
        role="option"
        aria-selected={shown.chosen.has(number)}
        aria-posinset={index + 1}
        aria-setsize={count}
        data-index={index}
        style={style}
        title={connection.peers}
      >
        <div class="connection-line">
          <span class={`dot dot-${state}`} />
          <span class="number">#{number}</span>
          <span class="connection-name">{titleOf(connection)}</span>
          <Sparkline rate={connection.rate} now={shown.session.now} isLive={shown.session.isLive} />
        </div>
        <div class="connection-line muted">
          <span class="ellipsis">
            {client !== undefined && describeEnd(client)}
            {server !== undefined && ` → ${nameOf(server)}`}
          </span>
          {waiting > 0 ? (
            <span class="waiting" title="bytes that wait in the queues of the kernel">
              {formatSize(waiting)} wait
            </span>
          ) : (
            <span>{state}</span>
          )}
        </div>
        <div class="connection-line muted numbers">
          <span title="opened">{clockTime(connection.opened).slice(0, 8)}</span>
          <span class="to-server" title={`to the server: ${countOf(toServer.messages, 'message')}`}>
            ↑ {shortCount(toServer.messages)} · {formatSize(toServer.bytes)}
          </span>
          <span class="to-client" title={`to the client: ${countOf(toClient.messages, 'message')}`}>
            ↓ {shortCount(toClient.messages)} · {formatSize(toClient.bytes)}
          </span>
        </div>
      </div>
    );
  }

  #onClick(event: MouseEvent, connections: readonly Connection[]): void {
    const row = (event.target as Element).closest<HTMLElement>('[data-index]');
    if (row === null) return;
    this.#active = Number(row.dataset['index']);
    this.#choose(connections, !(event.ctrlKey || event.metaKey || event.shiftKey));
  }

  #onKeyDown(event: KeyboardEvent, connections: readonly Connection[]): void {
    const last = connections.length - 1;
    switch (event.key) {
      case 'ArrowDown':
        this.#active = Math.min(last, this.#active + 1);
        break;
      case 'ArrowUp':
        this.#active = Math.max(0, this.#active - 1);
        break;
      case 'Home':
        this.#active = 0;
        break;
      case 'End':
        this.#active = last;
        break;
      case ' ':
        this.#choose(connections, false);
        break;
      case 'Enter':
        this.#choose(connections, true);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.#revealed++;
    this.props.inspector.changed();
  }

  #choose(connections: readonly Connection[], only: boolean): void {
    const connection = connections[this.#active];
    if (connection === undefined) return;
    this.props.inspector.shown.choose(connection.number, only);
    this.props.inspector.changed();
  }
}
