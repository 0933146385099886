/** The frames in memory, and readers that are slower than the traffic. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { framesIn, History, type Read } from '../support/inspector.js';

const MEBIBYTE = 1_048_576;

type Reader = ReturnType<InstanceType<typeof History>['reader']>;

function historyOf(bytes: number) {
  return new History(bytes, () => {});
}

function readAll(reader: Reader): Read[] {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const next = reader.next();
    if (next.length === 0) return framesIn(Buffer.concat(chunks));
    chunks.push(...next);
  }
}

function open(history: InstanceType<typeof History>, connection: number): void {
  history.append({ type: 'connection', connection, time: 1, peers: `peers of ${connection}` });
}

function close(history: InstanceType<typeof History>, connection: number): void {
  history.append({ type: 'event', connection, time: 1, event: 'closed' });
}

function message(history: InstanceType<typeof History>, connection: number, data: Uint8Array): void {
  history.append({ type: 'message', connection, time: 1, direction: 'to server', fds: [] }, data);
}

/** Messages whose first bytes are numbers. */
function flood(history: InstanceType<typeof History>, from: number, count: number): void {
  const data = Buffer.alloc(1024);
  for (let index = from; index < from + count; index++) {
    data.writeUInt32LE(index);
    message(history, 1, data);
  }
}

/** What a page knows: a summary of each frame that is no message, and messages by their numbers. */
function summary(frames: readonly Read[]): string[] {
  const lines: string[] = [];
  for (const frame of frames) {
    if (frame.type === 'connection') lines.push(`open ${frame.connection}`);
    else if (frame.type === 'event') lines.push(`${frame.event} ${frame.connection}`);
    else if (frame.type === 'left out') lines.push('left out');
  }
  return lines;
}

function counts(frames: readonly Read[]): { read: number; leftOut: number } {
  let read = 0;
  let leftOut = 0;
  for (const frame of frames) {
    if (frame.type === 'message') read++;
    if (frame.type === 'left out') leftOut += frame.messages;
  }
  return { read, leftOut };
}

describe('the history of a trace', () => {
  it('is read completely while it fits into the memory, in any number of pieces', () => {
    const history = historyOf(8 * MEBIBYTE);
    const reader = history.reader();
    open(history, 1);
    const frames: Read[] = [];
    for (let index = 0; index < 4000; index++) {
      flood(history, index, 1);
      if (index % 7 === 0) frames.push(...readAll(reader));
    }
    close(history, 1);
    frames.push(...readAll(reader));
    const numbers = frames.filter(({ type }) => type === 'message').map(({ data }) => data.readUInt32LE());
    assert.deepEqual(
      numbers,
      Array.from({ length: 4000 }, (_, index) => index),
    );
    assert.deepEqual(summary(frames), ['open 1', 'closed 1']);
    assert.deepEqual(readAll(history.reader()).length, frames.length);
    assert.deepEqual(reader.next(), []);
  });

  it('is bounded, and a reader is told how many messages it has missed', () => {
    const history = historyOf(2 * MEBIBYTE);
    open(history, 1);
    const early = history.reader();
    const middle = history.reader();
    readAll(early);
    flood(history, 0, 3000);
    const first = readAll(middle);
    flood(history, 3000, 7000);
    for (const [reader, before] of [
      [early, [] as Read[]],
      [middle, first],
      [history.reader(), [] as Read[]],
    ] as const) {
      const frames = [...before, ...readAll(reader)];
      const { read, leftOut } = counts(frames);
      assert.equal(read + leftOut, 10_000);
      assert.ok(leftOut > 1000);
      const numbers = frames.filter(({ type }) => type === 'message').map(({ data }) => data.readUInt32LE());
      assert.equal(numbers.at(-1), 9999);
      assert.ok(read < (reader === middle ? 4500 : 2100), `${read} messages in 2 MiB`);
      // Those that are left out precede the first one after them.
      let next = 0;
      for (const frame of frames) {
        if (frame.type === 'left out') next += frame.messages;
        if (frame.type === 'message') assert.equal(frame.data.readUInt32LE(), next++);
      }
    }
  });

  it('has messages that are longer than its pieces, and than itself', () => {
    const history = historyOf(2 * MEBIBYTE);
    open(history, 1);
    message(history, 1, Buffer.alloc(MEBIBYTE, 1));
    message(history, 1, Buffer.alloc(5 * MEBIBYTE, 2));
    assert.equal(counts(readAll(history.reader())).leftOut, 1);
    const [last] = readAll(history.reader()).filter(({ type }) => type === 'message');
    assert.ok(last?.data.equals(Buffer.alloc(5 * MEBIBYTE, 2)));
    message(history, 1, Buffer.alloc(1, 3));
    assert.deepEqual(counts(readAll(history.reader())), { read: 1, leftOut: 2 });
  });

  it('keeps what must be known of connections', () => {
    const history = historyOf(MEBIBYTE);
    const reader = history.reader();
    open(history, 1);
    open(history, 2);
    open(history, 3);
    readAll(reader);
    // More than the rest of the piece, which the reader keeps.
    flood(history, 0, 300);
    history.append({ type: 'event', connection: 2, time: 1, direction: 'to server', event: 'end of file' });
    close(history, 3);
    open(history, 4);
    open(history, 5);
    close(history, 5);
    flood(history, 300, 3000);
    close(history, 1);
    open(history, 6);
    // A connection that was opened and closed among the removed frames is left out.
    assert.deepEqual(summary(readAll(history.reader())), [
      'open 1',
      'open 2',
      'end of file 2',
      'open 4',
      'left out',
      'closed 1',
      'open 6',
    ]);
    // The reader has read that 3 is open.
    assert.deepEqual(summary(readAll(reader)), [
      'closed 3',
      'end of file 2',
      'open 4',
      'left out',
      'closed 1',
      'open 6',
    ]);
    // The end of 1 is removed, too.
    flood(history, 3300, 3000);
    assert.deepEqual(summary(readAll(history.reader())), [
      'open 2',
      'end of file 2',
      'open 4',
      'open 6',
      'left out',
    ]);
    assert.deepEqual(summary(readAll(reader)), ['left out']);
  });
});
