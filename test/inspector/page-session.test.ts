/** What the page makes of frames: connections, their states, latency, and the frames of an export. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Direction, encodeFrame, type Frame, FrameReader } from '../../cli/inspector/frames.js';
import { RowEncoder } from '../../cli/inspector/page/session/row-frames.js';
import { Session } from '../../cli/inspector/page/session/session.js';
import { View } from '../../cli/inspector/page/session/view.js';
import { Rate } from '../../cli/inspector/page/statistics/rate.js';

const NONE = new Uint8Array(0);
const START = 1_700_000_000_000_000;
const never = () => false;

function opened(connection: number): Frame {
  const end = { pid: 7, uid: 1000, gid: 1000, user: 'maria', command: 'node worker.js' };
  return { type: 'connection', connection, time: START, client: end, server: end, peers: 'both' };
}

function message(connection: number, time: number, direction: Direction, more: object = {}): Frame {
  return { type: 'message', connection, time: START + time, direction, fds: [], ...more };
}

function viewOf(session: Session): View {
  const view = new View(
    session,
    () => {
      throw new Error('contents are not tested here');
    },
    () => {},
  );
  view.setFilter({});
  return view;
}

/** Three requests, the answers to two of them. */
function conversation(): Session {
  const session = new Session('test', true);
  session.accept({ type: 'hello', title: 'a → b', isLive: true, version: '1' }, NONE);
  session.accept(opened(1), NONE);
  session.accept(message(1, 0, 'to server'), Buffer.from('first'));
  session.accept(message(1, 10, 'to server'), Buffer.from('second'));
  session.accept(message(1, 100, 'to client'), Buffer.from('answer 1'));
  session.accept(message(1, 300, 'to client'), Buffer.from('answer 2'));
  session.accept(message(1, 400, 'to client'), Buffer.from('no answer'));
  session.accept(message(1, 500, 'to server', { isSentAgain: true }), Buffer.from('third'));
  return session;
}

describe('a session', () => {
  it('counts the messages of a connection, and pairs requests with answers', () => {
    const { store, connections, title } = conversation();
    assert.equal(title, 'a → b');
    assert.deepEqual(connections.get(1)?.traffic, {
      'to server': { messages: 3, bytes: 16 },
      'to client': { messages: 3, bytes: 25 },
    });
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].map((number) => store.partner(number)),
      [2, 3, 0, 1, undefined, undefined],
    );
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].map((number) => store.delay(number)),
      [100, 290, 100, 290, -1, -1],
    );
  });

  it('does not take for an answer what the page has sent to the client', () => {
    const session = conversation();
    session.accept(message(1, 600, 'to client', { isSentAgain: true }), NONE);
    session.accept(message(1, 700, 'to client'), NONE);
    assert.equal(session.store.delay(6), -1);
    assert.equal(session.store.delay(7), 200);
  });

  it('knows the state of connections', () => {
    const session = conversation();
    const connection = session.connections.get(1)!;
    const event = (event: 'end of file' | 'connection reset' | 'closed', direction?: Direction) =>
      session.accept(
        {
          type: 'event',
          connection: 1,
          time: START,
          event,
          ...(direction === undefined ? {} : { direction }),
        },
        NONE,
      );
    assert.equal(connection.state, 'open');
    event('end of file', 'to server');
    assert.equal(connection.state, 'half-closed');
    assert.ok(!connection.canSend('to server') && connection.canSend('to client'));
    event('end of file', 'to client');
    event('closed');
    assert.equal(connection.state, 'closed');
    session.accept(opened(2), NONE);
    session.accept(
      { type: 'event', connection: 2, time: START, event: 'connection reset', direction: 'to client' },
      NONE,
    );
    session.accept({ type: 'event', connection: 2, time: START, event: 'closed' }, NONE);
    assert.equal(session.connections.get(2)?.state, 'reset');
  });

  it('shows messages of a connection whose frame was left out', () => {
    const session = new Session('test', true);
    session.accept({ type: 'left out', messages: 12 }, NONE);
    session.accept(message(9, 0, 'to client'), Buffer.from('late'));
    assert.equal(session.leftOut, 12);
    assert.equal(session.connections.get(9)?.traffic['to client'].messages, 1);
  });

  it('does not pair an answer with a request from before messages were left out', () => {
    const session = conversation();
    session.accept({ type: 'left out', messages: 1 }, NONE);
    session.accept(message(1, 600, 'to client'), NONE);
    assert.equal(session.store.partner(6), undefined);
    session.accept(message(1, 700, 'to server'), NONE);
    session.accept(message(1, 750, 'to client'), NONE);
    assert.equal(session.store.delay(8), 50);
  });

  it('forgets closed connections when it is cleared', () => {
    const session = conversation();
    session.accept(opened(2), NONE);
    session.accept({ type: 'event', connection: 2, time: START, event: 'closed' }, NONE);
    session.clear();
    assert.deepEqual([...session.connections.keys()], [1]);
    assert.equal(session.store.length, 0);
    // The answer to a request that was cleared.
    session.accept(message(1, 600, 'to client'), NONE);
    assert.equal(session.store.delay(7), 100);
    assert.equal(session.store.partner(7), undefined);
  });

  it('gives the same frames for an export as it got', () => {
    const fds = [{ kind: 'file', target: '/etc/passwd', access: 'read', size: 12, mode: '644' }];
    const frames: [Frame, Uint8Array][] = [
      [opened(1), NONE],
      [message(1, 1, 'to server', { fds, credentials: { pid: 1, uid: 2, gid: 3 } }), Buffer.from('with fds')],
      [message(1, 2, 'to client', { descriptorsLost: true, isSentAgain: true }), Buffer.from([0, 255])],
      [opened(2), NONE],
      [{ type: 'event', connection: 2, time: START, direction: 'to client', event: 'end of file' }, NONE],
      [{ type: 'event', connection: 2, time: START, event: 'error', detail: 'ETIMEDOUT' }, NONE],
    ];
    const session = new Session('test', false);
    for (const [frame, data] of frames) session.accept(frame, data);
    const encoder = new RowEncoder(session);
    const reader = new FrameReader();
    const got: [Frame, Buffer][] = [];
    for (let number = 0; number < session.store.next; number++)
      for (const bytes of encoder.encode(number))
        reader.push(bytes, (frame, data) => got.push([frame, Buffer.from(data)]));
    assert.deepEqual(
      got,
      frames.map(([frame, data]) => [frame, Buffer.from(data)]),
    );
    assert.deepEqual(encodeFrame(got[1]![0], got[1]![1]), encodeFrame(frames[1]![0], frames[1]![1]));
  });
});

describe('a view', () => {
  it('moves the selection among the rows that pass the filter', () => {
    const view = viewOf(conversation());
    view.setFilter({ direction: 'to client' });
    view.advance(never);
    view.moveToFirst();
    assert.equal(view.selected, 2);
    view.move(1);
    assert.equal(view.selected, 3);
    view.move(10);
    assert.equal(view.selected, 4);
    view.move(-10);
    assert.equal(view.selected, 2);
    view.moveToPartner();
    assert.equal(view.selected, 0);
    // The request is not in the list; the next that is.
    view.move(1);
    assert.equal(view.selected, 2);
  });

  it('does not change during a pause, and counts what is new', () => {
    const session = conversation();
    const view = viewOf(session);
    view.advance(never);
    view.pause();
    session.accept(message(1, 900, 'to client'), NONE);
    view.advance(never);
    assert.equal(view.filtered.rows.length, 6);
    assert.equal(view.waiting, 1);
    view.pause();
    view.advance(never);
    assert.equal(view.filtered.rows.length, 7);
  });

  it('chooses connections', () => {
    const session = conversation();
    session.accept(opened(2), NONE);
    session.accept(message(2, 0, 'to server'), NONE);
    const view = viewOf(session);
    const rows = () => {
      view.advance(never);
      return view.filtered.rows.length;
    };
    view.choose(2, true);
    assert.equal(rows(), 1);
    view.choose(1, false);
    assert.equal(rows(), 7);
    view.choose(1, true);
    assert.equal(rows(), 6);
    assert.equal(view.latency.total, 2);
    view.choose(1, true);
    assert.equal(rows(), 7);
  });

  it('measures latency', () => {
    const session = new Session('test', true);
    for (let index = 0; index < 1000; index++) {
      session.accept(message(1, index * 1_000_000, 'to server'), NONE);
      session.accept(message(1, index * 1_000_000 + 100 * (1 + (index % 100)), 'to client'), NONE);
    }
    const view = viewOf(session);
    view.advance(never);
    const { latency } = view;
    assert.equal(latency.total, 1000);
    assert.equal(latency.max, 10_000);
    assert.ok(Math.abs(latency.percentile(0.5) - 5000) < 800);
    assert.ok(Math.abs(latency.percentile(0.99) - 9900) < 1000);
    const { times, medians, maxima } = latency.overTime();
    assert.ok(times.length > 100 && times.length <= 256);
    assert.ok(times[0]! >= START / 1e6 && times.at(-1)! <= START / 1e6 + 1030);
    assert.ok(Math.max(...maxima) === 10_000 && Math.min(...medians) > 90);
  });

  it('refuses sizes and expressions that are none', () => {
    const view = viewOf(conversation());
    view.setFilter({ minSize: 'big' });
    assert.match(view.filterError, /"big" is no size/);
    view.setFilter({ minSize: '', text: '/(/' });
    assert.match(view.filterError, /Unterminated group/);
    view.removeFilter();
    assert.equal(view.filterError, '');
  });
});

describe('a rate', () => {
  it('has the last minute of a trace', () => {
    const rate = new Rate(true);
    for (let second = 0; second < 100; second++) rate.add(START + second * 1e6);
    assert.equal(rate.counts(START + 99e6).length, 60);
    assert.ok(rate.counts(START + 99e6).every((count) => count === 1));
    assert.equal(
      rate.counts(START + 109e6).reduce((sum, count) => sum + count, 0),
      50,
    );
    assert.ok(rate.counts(START + 1000e6).every((count) => count === 0));
  });

  it('has all of a recording', () => {
    const rate = new Rate(false);
    for (let index = 0; index < 10_000; index++) rate.add(START + index * 12_345);
    assert.equal(
      rate.counts(0).reduce((sum, count) => sum + count, 0),
      10_000,
    );
  });
});

describe('queues of a connection', () => {
  const queues = (bytes: number): Frame => ({
    type: 'queues',
    time: START,
    queues: [{ connection: 1, client: bytes, server: 0 }],
  });

  for (const [how, events] of [
    ['both ends of file', [['end of file', 'to server'] as const, ['end of file', 'to client'] as const]],
    ['a reset', [['connection reset', 'to client'] as const]],
  ] as const) {
    it(`are not shown after ${how}, although they were asked for before`, () => {
      const session = new Session('test', true);
      session.accept(opened(1), NONE);
      session.accept(queues(5), NONE);
      const connection = [...session.connections.values()][0];
      assert.deepEqual(connection?.queues, { client: 5, server: 0 });
      for (const [event, direction] of events) {
        session.accept({ type: 'event', connection: 1, time: START, event, direction }, NONE);
      }
      assert.equal(connection?.queues, undefined);
      session.accept(queues(7), NONE);
      assert.equal(connection?.queues, undefined);
    });
  }
});
