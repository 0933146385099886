/** What passes as a buffer: memory whose length is known, read once, and no part of it used twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { SeqpacketSocket } from 'seqpacket';
import { receiveText, socketPair } from '../support/sockets.js';

/** In Node.js 20, but not in its types. */
interface Resizable {
  resize(bytes: number): void;
}
const ResizableBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & Resizable;
const GrowableBuffer = SharedArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => SharedArrayBuffer & { grow(bytes: number): void };

const invalidType = { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' };
const overlapping = { code: 'ERR_INVALID_ARG_VALUE', name: 'TypeError' };

const proxies: Record<string, Uint8Array> = {
  'a Proxy of a Buffer': new Proxy(Buffer.from('text'), {}),
  'a Proxy of a Uint8Array': new Proxy(new Uint8Array(4), {}),
  'an object with the prototype of Buffer': Object.create(Buffer.prototype),
};
for (const [what, proxy] of Object.entries(proxies)) {
  test(`${what} is refused, wherever data or a buffer is taken`, async () => {
    using ends = socketPair();
    const { a, b } = ends;
    await a.send(Buffer.from('kept'));
    const calls: ((value: Uint8Array) => unknown)[] = [
      (value) => a.send(value),
      (value) => a.sendWithFds(value, [0]),
      (value) => a.sendMany([value]),
      (value) => a.sendMany([Buffer.from('x'), [value]]),
      (value) => a.trySend(value),
      (value) => b.receive(value),
      (value) => b.receiveWithFds(value, 1),
      (value) => b.tryReceive(value),
    ];
    for (const call of calls) {
      assert.throws(() => call(proxy), invalidType, String(call));
      assert.throws(() => call([Buffer.alloc(1), proxy] as never), invalidType, String(call));
    }
    assert.equal(b.ioControl('bytesReadable'), 4);
    assert.equal(await receiveText(b), 'kept');
  });
}

test('a receive into parts that overlap is refused; parts that touch are not', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  const memory = Buffer.alloc(100);
  const part = memory.subarray(10, 20);
  const calls: ((parts: Uint8Array[]) => unknown)[] = [
    (parts) => b.receive(parts),
    (parts) => b.receiveWithFds(parts, 1),
    (parts) => b.tryReceive(parts),
  ];
  await a.send(Buffer.alloc(40, 'x'));
  for (const call of calls) {
    assert.throws(() => call([part, part]), overlapping);
    assert.throws(() => call([part, Buffer.alloc(5), memory.subarray(19, 20)]), overlapping);
    assert.throws(() => call([memory.subarray(19, 30), part]), overlapping);
    assert.throws(() => call([memory, memory.subarray(50, 51)]), overlapping);
  }
  const parts = [memory.subarray(20, 30), memory.subarray(15, 15), part, memory.subarray(0, 10)];
  await assert.rejects(b.receive(parts), { code: 'EMSGSIZE', messageSize: 40 });
  assert.equal(await receiveText(b), 'x'.repeat(40));
});

test('parts that overlap can be sent', async () => {
  using ends = socketPair();
  const ab = Buffer.from('ab');
  await ends.a.send([ab, ab, ab.subarray(1)]);
  assert.equal(await receiveText(ends.b), 'ababb');
});

for (const [what, make] of [
  ['a growable SharedArrayBuffer', () => new GrowableBuffer(16, { maxByteLength: 1 << 20 })],
  ['a resizable ArrayBuffer', () => new ResizableBuffer(16, { maxByteLength: 1 << 20 })],
] as const) {
  test(`a receive into ${what} that grows meanwhile counts with the length at the call`, async () => {
    using ends = socketPair();
    const { a, b } = ends;
    const memory = make();
    const received = b.receive(new Uint8Array(memory));
    if ('grow' in memory) memory.grow(1 << 20);
    else memory.resize(1 << 20);
    await a.send(Buffer.from('a message of 26 characters'));
    await assert.rejects(received, { code: 'EMSGSIZE', messageSize: 26 });
    assert.equal(await receiveText(b), 'a message of 26 characters');
  });
}

test('a message that was received into memory that shrank meanwhile is kept', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  for (const view of [Uint8Array, Buffer.from, DataView, Float64Array]) {
    const memory = new ResizableBuffer(64, { maxByteLength: 64 });
    const buffer = view === Buffer.from ? Buffer.from(memory) : new (view as typeof DataView)(memory);
    const received = b.receive(buffer);
    memory.resize(8);
    await a.send(Buffer.from('sixteen letters.'));
    await assert.rejects(received, { code: 'EMSGSIZE', messageSize: 16 });
    assert.equal(await receiveText(b), 'sixteen letters.');
  }
});

test('data in memory that shrinks while it waits to be sent is not sent', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  a.setOption('sendBufferSize', 4096);
  while (a.trySend(Buffer.alloc(512)));
  const memory = new ResizableBuffer(64, { maxByteLength: 64 });
  const sent = a.send(new Uint8Array(memory));
  const rejected = assert.rejects(sent, { code: 'ERR_INVALID_STATE' });
  memory.resize(8);
  for await (const data of b) {
    assert.equal(data.length, 512);
    if (b.ioControl('bytesReadable') === 0) break;
  }
  await rejected;
});

test('a detached buffer is refused', () => {
  using ends = socketPair();
  const gone: ArrayBufferView[] = [];
  for (const View of [Uint8Array, Int16Array, DataView]) {
    const view = View as new (memory: ArrayBuffer, offset?: number, length?: number) => ArrayBufferView;
    const transferred = new ArrayBuffer(8);
    const detached = new view(transferred);
    structuredClone(transferred, { transfer: [transferred] });
    const memory = new ResizableBuffer(8, { maxByteLength: 8 });
    const outOfBounds = new view(memory, 2, 2);
    memory.resize(1);
    gone.push(detached, outOfBounds);
  }
  for (const view of gone) {
    assert.throws(() => ends.a.send(view), { code: 'ERR_INVALID_STATE' });
    assert.throws(() => ends.a.sendMany([view]), { code: 'ERR_INVALID_STATE' });
    assert.throws(() => ends.b.receive(view), { code: 'ERR_INVALID_STATE' });
  }
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
});

/** Grows shared memory again and again, each time anew, while the main thread receives into it. */
const grower = `
  const { parentPort, workerData } = require('node:worker_threads');
  parentPort.on('message', (memory) => {
    for (let length = 8; length <= 64; length++) {
      memory.grow(length);
      for (let spin = 0; spin < workerData; spin++);
    }
    parentPort.postMessage(null);
  });
`;

test('while another thread grows the memory, each message is received whole or kept', async () => {
  using ends = socketPair();
  const { a, b } = ends;
  const worker = new Worker(grower, { eval: true, workerData: 2000 });
  const message = Buffer.from('0123456789abcdef0123456789abcdef');
  let count = 0;
  for (let round = 0; round < 40; round++) {
    const memory = new GrowableBuffer(8, { maxByteLength: 64 });
    const done = new Promise((resolve) => worker.once('message', resolve));
    worker.postMessage(memory);
    for (let length = 0; length < 64; length = memory.byteLength) {
      a.trySend(message);
      assert.equal(await receiveWhole(b, new Uint8Array(memory)), String(message), `message ${count}`);
      count++;
    }
    await done;
  }
  await worker.terminate();
});

/** What is received into a buffer, or afterwards if it is too short. */
async function receiveWhole(socket: SeqpacketSocket, buffer: Uint8Array): Promise<string> {
  try {
    const length = socket.tryReceive(buffer);
    return String(Buffer.from(buffer.slice(0, length ?? 0)));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EMSGSIZE');
    return receiveText(socket);
  }
}
