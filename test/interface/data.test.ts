/** What can be sent: views of memory, ArrayBuffers and strings, alone and as parts; Python receives them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Data, MessageFlag, type SeqpacketSocket } from 'seqpacket';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { connectedAt, listeningAt, socketPair } from '../support/sockets.js';

const TEXT = 'Grüße, 世界 🎉';

function filled<Memory extends ArrayBuffer | SharedArrayBuffer>(memory: Memory): Memory {
  new Uint8Array(memory).fill(7);
  return memory;
}

const kinds: Record<string, [data: Data, bytes: Buffer]> = {
  'a string': [TEXT, Buffer.from(TEXT, 'utf8')],
  'a string with half a surrogate pair': ['\ud800.', Buffer.from('\ufffd.', 'utf8')],
  'an ArrayBuffer': [filled(new ArrayBuffer(5)), Buffer.alloc(5, 7)],
  'a SharedArrayBuffer': [filled(new SharedArrayBuffer(6)), Buffer.alloc(6, 7)],
  'a DataView': [new DataView(filled(new ArrayBuffer(9)), 2, 3), Buffer.alloc(3, 7)],
  'an array of all kinds': [
    [
      'ä',
      filled(new ArrayBuffer(1)),
      Buffer.from('x'),
      filled(new SharedArrayBuffer(1)),
      Uint16Array.of(258),
    ],
    Buffer.from([0xc3, 0xa4, 7, 0x78, 7, 2, 1]),
  ],
};

const senders: Record<string, (socket: SeqpacketSocket, data: Data) => unknown> = {
  send: (socket, data) => socket.send(data),
  'send without waiting': (socket, data) => socket.send(data, { flags: MessageFlag.dontWait }),
  sendWithFds: (socket, data) => socket.sendWithFds(data, [0]),
  'sendMany, alone': (socket, data) => socket.sendMany([data]),
  'sendMany, among others': (socket, data) => socket.sendMany([data, data]),
  trySend: (socket, data) => socket.trySend(data),
  'trySend with descriptors': (socket, data) => socket.trySend(data, [0]),
  'the writable stream': async (socket, data) => {
    const writer = socket.writable.getWriter();
    await writer.write(data);
    writer.releaseLock();
  },
};

for (const [kind, [data, bytes]] of Object.entries(kinds)) {
  test(`${kind} is what Python receives, however it is sent`, { skip: missing('python3') }, async (t) => {
    const name = abstractName();
    const acceptor = closing(t, listeningAt(name));
    const python = new Python(
      t,
      `
        peer = connect(args[0])
        while data := peer.recv(65536): say(data.hex())
      `,
      name,
    );
    const socket = closing(t, await python.meanwhile(acceptor.accept()));
    assert.equal(await python.says(), 'connected');
    for (const [how, send] of Object.entries(senders)) {
      await send(socket, data);
      const times = how === 'sendMany, among others' ? 2 : 1;
      for (let i = 0; i < times; i++) assert.equal(await python.says(), bytes.toString('hex'), how);
    }
    socket.close();
    await python.finished();
  });
}

test('the length that is returned and counted is that in bytes', async () => {
  using ends = socketPair();
  assert.equal(await ends.a.send(TEXT), Buffer.byteLength(TEXT));
  assert.equal(await ends.a.sendWithFds([TEXT, TEXT], [0]), 2 * Buffer.byteLength(TEXT));
  await ends.a.sendMany([TEXT, 'x']);
  assert.equal(ends.a.counters.bytesSent, 4 * Buffer.byteLength(TEXT) + 1);
});

test('a string that has to wait is sent in its turn', async () => {
  using ends = socketPair();
  let room = 0;
  while (ends.a.trySend(`${room}`)) room++;
  const sent = Promise.all([ends.a.send('first'), ends.a.sendMany(['second', ['th', 'ird']])]);
  const received: string[] = [];
  for await (const message of ends.b) if (received.push(String(message)) === room + 3) break;
  assert.deepEqual(received.slice(room), ['first', 'second', 'third']);
  assert.deepEqual(await sent, [5, 2]);
});

test('an empty string is an empty message', async () => {
  const name = abstractName();
  using acceptor = listeningAt(name);
  const [client, server] = await connectedAt(acceptor, name);
  server.setOption('emptyMessages', 'deliver');
  await client.send('');
  assert.equal((await server.receiveMessage()).data.length, 0);
  client.close();
  server.close();
});

test('a resizable ArrayBuffer is sent with the length that it had at the call', async () => {
  using ends = socketPair();
  const make = ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer;
  const memory = new make(4, { maxByteLength: 8 });
  while (ends.a.trySend('fill'));
  const sent = ends.a.send(memory);
  (memory as unknown as { resize(bytes: number): void }).resize(8);
  for await (const { length } of ends.b) {
    assert.equal(length, 4);
    if (ends.b.ioControl('bytesReadable') === 0) break;
  }
  assert.equal(await sent, 4);
});
