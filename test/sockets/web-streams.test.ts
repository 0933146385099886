/** readable and writable: a socket as web streams, one chunk a message. */
import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { pair, type SeqpacketSocket } from 'seqpacket';
import { receiveText, settlesSoon, socketPair } from '../support/sockets.js';

async function echo(
  socket: SeqpacketSocket,
  change: (data: Buffer) => Buffer = (data) => data,
): Promise<void> {
  for await (const data of socket) await socket.send(change(data));
  socket.shutdown('send');
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk).toString());
  return chunks;
}

test('a chunk is a message, both ways, and closing is the end of file', async () => {
  using ends = socketPair();
  const writer = ends.a.writable.getWriter();
  for (const text of ['one', 'two', 'three']) await writer.write(Buffer.from(text));
  await writer.close();
  assert.deepEqual(await collect(ends.b.readable), ['one', 'two', 'three']);
  assert.equal(ends.b.isOpen, true);
});

test('the streams of a socket are always the same two', () => {
  using ends = socketPair();
  assert.equal(ends.a.readable, ends.a.readable);
  assert.equal(ends.a.writable, ends.a.writable);
});

test('pipeThrough a socket', async () => {
  using ends = socketPair();
  const served = echo(ends.b, (data) => Buffer.from(data.toString().toUpperCase()));
  const source = ReadableStream.from(['a', 'bc', 'def'].map((text) => new TextEncoder().encode(text)));
  assert.deepEqual(await collect(source.pipeThrough(ends.a)), ['A', 'BC', 'DEF']);
  await served;
});

test('compression streams go through', async () => {
  using ends = socketPair();
  const served = echo(ends.b);
  const text = 'to be compressed, '.repeat(20_000);
  const output = new Blob([text])
    .stream()
    .pipeThrough(new CompressionStream('gzip'))
    .pipeThrough(ends.a)
    .pipeThrough(new DecompressionStream('gzip'));
  assert.equal((await collect(output)).join(''), text);
  await served;
});

test('Node streams made from them work', async () => {
  using ends = socketPair();
  const served = echo(ends.b);
  const chunks: string[] = [];
  await Promise.all([
    pipeline(Readable.from(['x', 'yy', 'zzz']).map(Buffer.from), Writable.fromWeb(ends.a.writable as never)),
    pipeline(Readable.fromWeb(ends.a.readable as never), async (source) => {
      for await (const chunk of source) chunks.push(String(chunk));
    }),
  ]);
  assert.deepEqual(chunks, ['x', 'yy', 'zzz']);
  await served;
});

test('nothing is received before the first read', async () => {
  using ends = socketPair();
  const { readable } = ends.b;
  await ends.a.send(Buffer.from('first'));
  await ends.a.send(Buffer.from('second'));
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  assert.equal(ends.b.ioControl('bytesReadable'), 11);
  const reader = readable.getReader();
  assert.equal(Buffer.from((await reader.read()).value!).toString(), 'first');
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  assert.equal(ends.b.ioControl('bytesReadable'), 6);
  reader.releaseLock();
  assert.equal(await receiveText(ends.b), 'second');
});

test('a write is done when the kernel has taken the message', async () => {
  using ends = socketPair();
  const writer = ends.a.writable.getWriter();
  while (ends.a.trySend(Buffer.alloc(1000)));
  const written = writer.write(Buffer.from('waits'));
  assert.equal(await settlesSoon(written), false);
  while (ends.b.tryReceive(Buffer.alloc(1000)) !== null);
  await written;
  assert.equal(await receiveText(ends.b), 'waits');
});

test('cancelling the readable ends its receive, and loses no message', async () => {
  using ends = socketPair();
  const reader = ends.b.readable.getReader();
  const read = reader.read();
  await new Promise(setImmediate);
  await reader.cancel('enough');
  assert.deepEqual(await read, { done: true, value: undefined });
  await ends.a.send(Buffer.from('still there'));
  assert.equal(await receiveText(ends.b), 'still there');
});

test('a read that found its message is not undone by cancelling', async () => {
  using ends = socketPair();
  await ends.a.sendMany([Buffer.from('one'), Buffer.from('two')]);
  const reader = ends.b.readable.getReader();
  await new Promise(setImmediate);
  const read = reader.read();
  await reader.cancel();
  assert.equal(String(Buffer.from((await read).value ?? [])), 'one');
  assert.equal(await receiveText(ends.b), 'two');
});

test('aborting the writable ends its send and sending', async () => {
  using ends = socketPair();
  const writer = ends.a.writable.getWriter();
  while (ends.a.trySend(Buffer.alloc(1000)));
  const written = writer.write(Buffer.from('never'));
  const refused = assert.rejects(written);
  await writer.abort(new Error('enough'));
  await refused;
  assert.equal(ends.a.counters.pendingSends, 0);
  await assert.rejects(ends.a.send(Buffer.from('x')), { code: 'EPIPE' });
});

test('errors of the socket are errors of the streams', async () => {
  const [a, b] = pair();
  await a.send(Buffer.from('unread'));
  b.close();
  await assert.rejects(collect(a.readable), { code: 'ECONNRESET' });
  await assert.rejects(a.writable.getWriter().write(Buffer.from('x')), { code: 'EPIPE' });
  a.close();
});

test('an empty chunk is left out, unless empty messages are delivered', async () => {
  using ends = socketPair();
  ends.b.setOption('emptyMessages', 'deliver');
  const writer = ends.a.writable.getWriter();
  await writer.write(new Uint8Array(0));
  assert.equal(ends.b.tryReceive(Buffer.alloc(1)), null);
  ends.a.setOption('emptyMessages', 'deliver');
  await writer.write(new Uint8Array(0));
  assert.equal(ends.b.tryReceive(Buffer.alloc(1)), 0);
});
