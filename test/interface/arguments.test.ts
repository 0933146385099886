/** Wrong arguments throw synchronously, with Node's codes, before anything happens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import {
  connect,
  FileDescriptor,
  listen,
  pair,
  pairForChild,
  SeqpacketAcceptor,
  SeqpacketSocket,
} from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';

const buffer = Buffer.alloc(1);
// biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
type Any = any;

const TYPE = 'ERR_INVALID_ARG_TYPE';
const VALUE = 'ERR_INVALID_ARG_VALUE';
const RANGE = 'ERR_OUT_OF_RANGE';

/** Everything that takes options, with what are none. */
function wrongOptions(): [string, (socket: Any, acceptor: Any) => unknown][] {
  const all: ((socket: Any, acceptor: Any, options: Any) => unknown)[] = [
    (socket, _, options) => socket.receive(buffer, options),
    (socket, _, options) => socket.send(buffer, options),
    (socket, _, options) => socket.receiveWithFds(buffer, 1, options),
    (socket, _, options) => socket.sendWithFds(buffer, [], options),
    (socket, _, options) => socket.receiveMessage(options),
    (socket, _, options) => socket.messages(options),
    (socket, _, options) => socket.sendMany([], options),
    (socket, _, options) => socket.receiveMany(options),
    (socket, _, options) => socket.connect('/nonexistent/name', options),
    (socket, _, options) => socket.wait('read', options),
    (_, acceptor, options) => acceptor.accept(options),
    (_, acceptor, options) => acceptor.wait('read', options),
    (_, __, options) => connect('/nonexistent/name', options),
    (_, __, options) => listen('/nonexistent/name', options),
    (_, __, options) => pair(options),
    (_, __, options) => pairForChild(options),
  ];
  const none = [null, 0, 5, true, 'text', [], [{}], () => ({}), buffer, AbortSignal.timeout(60_000)];
  return all.flatMap((call) =>
    none.map((options) => {
      const named = (socket: Any, acceptor: Any) => call(socket, acceptor, options);
      named.toString = () => call.toString().replace(/options(?=\))/, () => inspect(options, { depth: -1 }));
      return [TYPE, named] as [string, typeof named];
    }),
  );
}

const calls: [string, (socket: Any, acceptor: Any) => unknown][] = [
  [TYPE, (socket) => socket.send(5)],
  [TYPE, (socket) => socket.send({ byteLength: 3 })],
  [TYPE, (socket) => socket.send(new Blob(['text']))],
  [TYPE, (socket) => socket.send()],
  [TYPE, (socket) => socket.send(null)],
  [TYPE, (socket) => socket.send([buffer, 5])],
  [TYPE, (socket) => socket.send([buffer, ['nested']])],
  [TYPE, (socket) => socket.sendMany('text')],
  [TYPE, (socket) => socket.receive(new ArrayBuffer(1))],
  [TYPE, (socket) => socket.receive([buffer, 'text'])],
  [RANGE, (socket) => socket.send(new Array(1024).fill(buffer))],
  // Arrays with holes.
  [TYPE, (socket) => socket.send(Object.assign(new Array(2), { 0: buffer }))],
  [TYPE, (socket) => socket.receive(Object.assign(new Array(2), { 0: buffer }))],
  [TYPE, (socket) => socket.sendMany([Object.assign(new Array(2), { 0: buffer })])],
  [TYPE, (socket) => socket.sendMany(Object.assign(new Array(2), { 0: buffer }))],
  [TYPE, (socket) => socket.sendWithFds(buffer, new Array(1))],
  [TYPE, (socket) => socket.trySend(buffer, new Array(1))],
  [TYPE, () => listen('/nonexistent/name', { allow: { uids: new Array(1) } })],
  [TYPE, (socket) => socket.send(buffer, 5)],
  ...wrongOptions(),
  [VALUE, () => listen('/nonexistent/name', { allow: { uid: [0] } as Any })],
  [VALUE, () => listen('/nonexistent/name', { allow: { uids: [0], users: ['root'] } as Any })],
  [TYPE, () => listen('/nonexistent/name', { allow: [0] as Any })],
  [TYPE, () => listen('/nonexistent/name', { allow: [] as Any })],
  [TYPE, () => listen('/nonexistent/name', { allow: (() => true) as Any })],
  [TYPE, () => listen('/nonexistent/name', { allow: new Set([0]) as Any })],
  [TYPE, () => listen('/nonexistent/name', { allow: null as Any })],
  [TYPE, () => listen('/nonexistent/name', { allow: { uids: 0 } as Any })],
  [TYPE, () => listen('/nonexistent/name', { allow: { gids: ['wheel'] } as Any })],
  [RANGE, () => listen('/nonexistent/name', { maxConnections: 0 })],
  [RANGE, () => listen('/nonexistent/name', { maxConnections: 1.5 })],
  [TYPE, () => listen('/nonexistent/name', { maxConnections: '1' as Any })],
  [TYPE, () => pairForChild({ emptyMessages: 1 } as Any)],
  [VALUE, () => pairForChild({ emptyMessages: 'yes' } as Any)],
  [TYPE, (socket) => socket.send(buffer, { flags: 'peek' })],
  [RANGE, (socket) => socket.send(buffer, { flags: -1 })],
  [RANGE, (socket) => socket.send(buffer, { flags: 1.5 })],
  [RANGE, (socket) => socket.send(buffer, { flags: 2 ** 31 })],
  [TYPE, (socket) => socket.send(buffer, { signal: {} })],
  [TYPE, (socket) => socket.send(buffer, { signal: null })],
  [TYPE, (socket) => socket.send(buffer, { signal: { aborted: false } })],
  [TYPE, (socket) => socket.receive('text')],
  [TYPE, (socket) => socket.receive(undefined)],
  [TYPE, (socket) => socket.receive({ byteLength: 3 })],
  [TYPE, (socket) => socket.receive(buffer, { signal: 'now' })],
  [TYPE, (socket) => socket.receiveWithFds(buffer)],
  [TYPE, (socket) => socket.receiveWithFds(buffer, '1')],
  [RANGE, (socket) => socket.receiveWithFds(buffer, -1)],
  [RANGE, (socket) => socket.receiveWithFds(buffer, 1.5)],
  [RANGE, (socket) => socket.receiveWithFds(buffer, 254)],
  [TYPE, (socket) => socket.sendWithFds(buffer)],
  [TYPE, (socket) => socket.sendWithFds(buffer, 0)],
  [TYPE, (socket) => socket.sendWithFds(buffer, ['0'])],
  [TYPE, (socket) => socket.sendWithFds(buffer, [{}])],
  [TYPE, (socket) => socket.sendWithFds(buffer, [null])],
  [RANGE, (socket) => socket.sendWithFds(buffer, [-1])],
  [RANGE, (socket) => socket.sendWithFds(buffer, [0.5])],
  [RANGE, (socket) => socket.sendWithFds(buffer, [{ fd: Number.NaN }])],
  [RANGE, (socket) => socket.sendWithFds(buffer, [{ fd: 1.5 }])],
  [RANGE, (socket) => socket.sendWithFds(buffer, [{ fd: 2 ** 32 + 1 }])],
  [RANGE, (socket) => socket.sendWithFds(buffer, [{ fd: -2 }])],
  [RANGE, (socket) => socket.sendWithFds(buffer, new Array(254).fill(0))],
  [TYPE, (socket) => socket.connect()],
  [TYPE, (socket) => socket.connect(7)],
  [TYPE, (socket) => socket.connect({ path: '/x' })],
  [VALUE, (socket) => socket.connect('')],
  [VALUE, (socket) => socket.connect(Buffer.alloc(0))],
  [VALUE, (socket) => socket.connect('/tmp/a\0b')],
  [VALUE, (socket) => socket.connect(Buffer.from('a\0'))],
  [RANGE, (socket) => socket.connect(`\0${'a'.repeat(108)}`)],
  [RANGE, (socket) => socket.connect('\0'.repeat(109))],
  ['ERR_INVALID_URL_SCHEME', (socket) => socket.connect(new URL('http://localhost/'))],
  [TYPE, (socket) => socket.connect('/x', { signal: 1 })],
  [VALUE, (socket) => socket.bind('')],
  [VALUE, (socket) => socket.bind(new URL('file:///%FF'))],
  [VALUE, (socket) => socket.bind('a\0')],
  [TYPE, (socket) => socket.bind()],
  [VALUE, (socket) => socket.wait('all')],
  [TYPE, (socket) => socket.wait()],
  [TYPE, (socket) => socket.wait('write', { signal: {} })],
  [VALUE, (_, acceptor) => acceptor.wait('all')],
  [VALUE, (_, acceptor) => acceptor.wait('write')],
  [VALUE, (socket) => socket.shutdown('all')],
  [VALUE, (socket) => socket.shutdown('toString')],
  [TYPE, (socket) => socket.shutdown(2)],
  [VALUE, (socket) => socket.ioControl('bytes_readable')],
  [TYPE, (socket) => socket.ioControl(1)],
  [VALUE, (socket) => socket.getOption('noSuchOption')],
  [VALUE, (socket) => socket.getOption('toString')],
  [VALUE, (socket) => socket.getOption(undefined)],
  [VALUE, (socket) => socket.setOption('remoteCredentials', {})],
  [TYPE, (socket) => socket.setOption('sendBufferSize', '4096')],
  [RANGE, (socket) => socket.setOption('sendBufferSize', -1)],
  [RANGE, (socket) => socket.setOption('receiveBufferSize', 2 ** 31)],
  [TYPE, (socket) => socket.setOption('debug', 1)],
  [VALUE, (socket) => socket.setOption('emptyMessages', 'yes')],
  [TYPE, (socket) => socket.setOption('emptyMessages', true)],
  [TYPE, (socket) => socket.assign(3)],
  [TYPE, (socket) => socket.assign({ fd: 3 })],
  [TYPE, () => new SeqpacketSocket(3 as Any)],
  [TYPE, () => new SeqpacketSocket(null as Any)],
  [TYPE, () => new SeqpacketAcceptor('3' as Any)],
  [TYPE, (_, acceptor) => acceptor.listen('5')],
  [RANGE, (_, acceptor) => acceptor.listen(-1)],
  [TYPE, (_, acceptor) => acceptor.accept(5)],
  [TYPE, (_, acceptor) => acceptor.accept({ signal: 5 })],
  [VALUE, (_, acceptor) => acceptor.getOption('sendBufferSize')],
  [TYPE, () => FileDescriptor.adopt('3' as Any)],
  [RANGE, () => FileDescriptor.adopt(-1)],
  [TYPE, () => FileDescriptor.dup({} as Any)],
  [TYPE, () => FileDescriptor.dup(undefined as Any)],
];

for (const [code, call] of calls) {
  const source = call.toString().replace(/^.*?=>\s*/, '');
  test(`${source} throws ${code}`, () => {
    const [socket, peer] = SeqpacketSocket.pair();
    const acceptor = new SeqpacketAcceptor();
    acceptor.open();
    const open = openDescriptors();
    // In states where the same call would otherwise fail or work: the argument is what counts.
    for (const target of [socket, new SeqpacketSocket()]) {
      assert.throws(
        () => call(target, acceptor),
        (error: NodeJS.ErrnoException) => {
          assert.equal(error.code, code);
          assert.ok(error instanceof (code === RANGE ? RangeError : TypeError), error.name);
          return true;
        },
      );
    }
    assert.equal(peer.ioControl('bytesReadable'), 0);
    assert.deepEqual(openDescriptors(), open);
    socket.close();
    peer.close();
    acceptor.close();
  });
}

test('error messages name the argument, the expected type and the given value', () => {
  const socket = new SeqpacketSocket();
  assert.throws(() => socket.send(5 as Any), {
    message:
      'The "data" argument must be of type string or an instance of Buffer, TypedArray, DataView, ArrayBuffer, or ' +
      'SharedArrayBuffer, or an array of them. Received type number (5)',
  });
  assert.throws(() => socket.receive('text' as Any), {
    message:
      'The "buffer" argument must be an instance of Buffer, TypedArray, or DataView, or an array of them. ' +
      "Received type string ('text')",
  });
  assert.throws(() => socket.send(new Proxy(buffer, {})), { message: /Received a Proxy$/ });
  assert.throws(() => socket.receive(buffer, AbortSignal.timeout(1) as Any), {
    message:
      'The "options" argument must be of type object, such as { signal }. Received an instance of AbortSignal',
  });
  assert.throws(() => listen('/x', { allow: { uid: [0] } as Any }), {
    message: "The argument 'options.allow' must have no other keys than uids, gids. Received { uid: [ 0 ] }",
  });
  assert.throws(() => socket.receiveWithFds(buffer, 254), {
    message: 'The value of "maxFds" is out of range. It must be >= 0 && <= 253. Received 254',
  });
});
