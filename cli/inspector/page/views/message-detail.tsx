/** Everything about one message. */
import type { ComponentChildren } from 'preact';
import type { DescriptorDescription, EndDescription } from '../../frames.js';
import { describeEnd } from '../connections/ends.js';
import { ContentsView } from '../contents/contents-view.js';
import { textOf } from '../contents/text.js';
import { countOf, formatCount, formatSize } from '../format/size.js';
import { day, exactTime, formatDuration } from '../format/time.js';
import {
  DESCRIPTORS_LOST,
  directionOf,
  EVENTS,
  NO_DIRECTION,
  SENT_AGAIN,
  TO_CLIENT,
} from '../messages/flags.js';
import type { Inspector } from '../session/inspector.js';
import { Button } from './button.js';

interface Props {
  inspector: Inspector;
  number: number;
  isNarrow: boolean;
}

export function MessageDetail({ inspector, number, isNarrow }: Props): ComponentChildren {
  const { session } = inspector.shown;
  const { store } = session;
  const flags = store.flags(number);
  const event = store.event(number);
  const direction = directionOf(flags);
  const data = store.data(number);
  const descriptors = store.descriptors(number);
  const title = event === 0 ? `Message ${direction}` : `Event: ${EVENTS[event - 1]}`;
  return (
    <section class="detail" aria-label="Details">
      <div class="pane-head">
        {isNarrow && (
          <Button icon="back" text="Back to the list" isIconOnly onPress={() => inspector.closeDetail()} />
        )}
        <h2 class={(flags & NO_DIRECTION) !== 0 ? '' : direction.replace(' ', '-')}>
          {(flags & NO_DIRECTION) !== 0 ? '' : (flags & TO_CLIENT) !== 0 ? '↓ ' : '↑ '}
          {title}
        </h2>
        {event === 0 && <SendButtons inspector={inspector} number={number} />}
        {!isNarrow && (
          <Button
            icon="close"
            text="Close"
            shortcut="Esc"
            isIconOnly
            onPress={() => inspector.closeDetail()}
          />
        )}
      </div>
      <Facts inspector={inspector} number={number} />
      {descriptors.length > 0 && <Descriptors descriptors={descriptors} />}
      {event === 0 ? (
        <ContentsView inspector={inspector} number={number} data={data} />
      ) : (
        data.length > 0 && <p class="event-detail">{textOf(data)}</p>
      )}
    </section>
  );
}

function SendButtons({ inspector, number }: { inspector: Inspector; number: number }): ComponentChildren {
  const { store } = inspector.shown.session;
  const direction = directionOf(store.flags(number));
  return (
    <>
      <Button
        icon="again"
        text="Send again"
        shortcut="r"
        isDisabled={!inspector.canSendAgain(store.connection(number), direction)}
        onPress={() => inspector.sendAgain(number)}
      />
      <Button
        icon="edit"
        text="Edit and send…"
        shortcut="e"
        isIconOnly
        isDisabled={!inspector.canSend}
        onPress={() => inspector.edit(number)}
      />
    </>
  );
}

/** What is known besides the contents. */
function Facts({ inspector, number }: { inspector: Inspector; number: number }): ComponentChildren {
  const { session } = inspector.shown;
  const { store } = session;
  const flags = store.flags(number);
  const connection = session.connections.get(store.connection(number));
  const time = store.time(number);
  const size = store.size(number);
  const credentials = session.credentials.get(store.credentials(number));
  const facts: [name: string, value: ComponentChildren][] = [
    ['Time', `${day(time)} ${exactTime(time)}`],
    ['Connection', `#${store.connection(number)}`],
  ];
  if (connection?.client !== undefined) facts.push(['Client', endText(connection.client)]);
  if (connection?.server !== undefined) facts.push(['Server', endText(connection.server)]);
  if (connection?.client === undefined && connection !== undefined) facts.push(['Peers', connection.peers]);
  if (store.event(number) === 0) {
    facts.push([
      'Size',
      size < 1024 ? countOf(size, 'byte') : `${formatSize(size)} (${formatCount(size)} bytes)`,
    ]);
    const answered = answerText(inspector, number);
    if (answered !== undefined) facts.push(answered);
  }
  if (credentials !== undefined)
    facts.push(['Credentials', `pid ${credentials.pid}, uid ${credentials.uid}, gid ${credentials.gid}`]);
  if ((flags & SENT_AGAIN) !== 0) facts.push(['Origin', 'sent from this page']);
  if ((flags & DESCRIPTORS_LOST) !== 0)
    facts.push(['Descriptors', <span class="error">some were lost: raise "ulimit -n"</span>]);
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function endText(end: EndDescription): string {
  return end.command === '' ? describeEnd(end) : `${end.command} (${describeEnd(end)})`;
}

function answerText(inspector: Inspector, number: number): [string, ComponentChildren] | undefined {
  const { shown } = inspector;
  const { store } = shown.session;
  const delay = store.delay(number);
  if (delay < 0) return undefined;
  const isAnswer = (store.flags(number) & TO_CLIENT) !== 0;
  const partner = store.partner(number);
  return [
    isAnswer ? 'Answer after' : 'Answered after',
    <>
      {formatDuration(delay)}{' '}
      {partner !== undefined && (
        <button
          type="button"
          class="link"
          title={`Go to the ${isAnswer ? 'request' : 'answer'} (a)`}
          onClick={() => inspector.select(partner)}
        >
          Go to the {isAnswer ? 'request' : 'answer'}
        </button>
      )}
    </>,
  ];
}

function Descriptors({ descriptors }: { descriptors: readonly DescriptorDescription[] }): ComponentChildren {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with keys
    <section class="descriptors" aria-label="Descriptors" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {['#', 'Kind', 'Path', 'Access', 'Mode', 'Size'].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {descriptors.map(({ kind, target, access, mode, size }, index) => (
            <tr key={index}>
              <td>{index}</td>
              <td>{kind}</td>
              <td class="path">{target}</td>
              <td>{access}</td>
              <td>{mode ?? ''}</td>
              <td>{size === undefined ? '' : formatSize(size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
