/** Not run: the compiler checks that the types of the face are what they should be. */
import type { Socket } from 'node:net';
import {
  type AcceptorCounters,
  type ActivatedSocket,
  activated,
  connect,
  connectSync,
  type Data,
  type FileDescriptor,
  type FileType,
  listen,
  type Message,
  type PeerCredentials,
  pair,
  pairForChild,
  type SeqpacketAcceptor,
  SeqpacketSocket,
} from 'seqpacket';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only if the value has exactly that type. */
function is<Expected>() {
  return <Actual>(_value: Actual, _same: Same<Actual, Expected>): void => undefined;
}

export async function types(socket: SeqpacketSocket, acceptor: SeqpacketAcceptor, signal: AbortSignal) {
  is<SeqpacketSocket>()(await connect('/path', { signal, emptyMessages: 'deliver' }), true);
  is<SeqpacketSocket>()(await connect(Buffer.from('/path')), true);
  is<SeqpacketAcceptor>()(listen(new URL('file:///path'), { backlog: 1, mode: 0o600, reclaim: false }), true);
  is<SeqpacketAcceptor>()(listen('/path', { allow: { uids: [1], gids: [2] } }), true);
  is<[SeqpacketSocket, SeqpacketSocket]>()(pair({ emptyMessages: 'eof' }), true);
  is<[SeqpacketSocket, FileDescriptor]>()(pairForChild(), true);
  is<[SeqpacketSocket, FileDescriptor]>()(pairForChild({ emptyMessages: 'deliver' }), true);
  is<ActivatedSocket[]>()(activated(), true);
  is<void>()(await socket.wait('read', { signal }), true);
  is<void>()(await acceptor.wait('read'), true);
  is<AcceptorCounters>()(acceptor.counters, true);
  is<SeqpacketAcceptor>()(listen('/path', { maxConnections: 5 }), true);

  is<number>()(await socket.receive(new Uint8Array(1), { flags: 2, signal }), true);
  is<number>()(await socket.receive([Buffer.alloc(1), new DataView(new ArrayBuffer(1))]), true);
  is<number>()(await socket.send(new Float64Array(1)), true);
  is<number>()(
    await socket.sendWithFds(Buffer.alloc(1), [0, { fd: 1 }, {} as Socket, socket, acceptor]),
    true,
  );
  is<FileDescriptor[]>()((await socket.receiveWithFds(Buffer.alloc(1), 1)).fds, true);
  is<Message>()(await socket.receiveMessage({ maxFds: 1, signal }), true);
  is<Buffer[]>()(await socket.receiveMany({ max: 5, signal }), true);
  is<number>()(await socket.sendMany([Buffer.alloc(1), [Buffer.alloc(1)]], { signal }), true);
  is<boolean>()(socket.trySend(Buffer.alloc(1), [0]), true);
  is<number | null>()(socket.tryReceive(Buffer.alloc(1)), true);
  is<SeqpacketSocket>()(connectSync('/path', { timeout: 1, emptyMessages: 'deliver' }), true);
  is<SeqpacketSocket>()(acceptor.acceptSync({ timeout: 1 }), true);
  is<number>()(
    socket.sendSync(['text', Buffer.alloc(1)], { fds: [0, acceptor], flags: 0, timeout: 1 }),
    true,
  );
  is<number>()(socket.receiveSync([Buffer.alloc(1)], { flags: 2, timeout: undefined }), true);
  is<Message>()(socket.receiveMessageSync({ maxFds: 1, timeout: 1 }), true);
  is<number>()(socket.sendManySync(['one', [Buffer.alloc(1)]], { timeout: 1 }), true);
  is<Buffer[]>()(socket.receiveManySync({ max: 5, timeout: 1 }), true);
  // @ts-expect-error a blocking call cannot be aborted
  socket.receiveMessageSync({ signal });
  for await (const data of socket) is<Buffer>()(data, true);
  for await (const message of socket.messages()) is<Message>()(message, true);
  for await (const accepted of acceptor) is<SeqpacketSocket>()(accepted, true);
  is<ReadableStream<Uint8Array>>()(socket.readable, true);
  is<WritableStream<Data>>()(socket.writable, true);
  is<ReadableStream<Uint8Array>>()(new Blob([]).stream().pipeThrough(socket), true);
  is<SeqpacketSocket>()(socket.ref().unref(), true);

  is<PeerCredentials>()(socket.getOption('remoteCredentials'), true);
  is<string>()(socket.getOption('remoteSecurityLabel'), true);
  is<FileDescriptor>()(socket.getOption('remotePidFd'), true);
  is<number>()(socket.getOption('sendBufferSize'), true);
  is<boolean>()(socket.getOption('passCredentials'), true);
  is<'eof' | 'deliver'>()(socket.getOption('emptyMessages'), true);
  is<boolean>()(acceptor.getOption('enableConnectionAborted'), true);
  socket.setOption('sendBufferSize', 1);
  // @ts-expect-error the value has another type
  socket.setOption('sendBufferSize', true);
  // @ts-expect-error it cannot be set
  socket.setOption('remoteCredentials', {});
  // @ts-expect-error there is no such option
  socket.getOption('noSuchOption');
  const data: Data = ['text', new ArrayBuffer(1), new SharedArrayBuffer(1), new DataView(new ArrayBuffer(1))];
  is<number>()(await socket.send(data), true);
  is<number>()(await socket.sendMany(['one', data, new ArrayBuffer(1)]), true);
  is<boolean>()(socket.trySend('text'), true);
  is<number>()(await socket.sendWithFds('text', [0]), true);
  // @ts-expect-error a message is not received into text
  socket.receive('text');
  // @ts-expect-error a message is received into views of memory
  socket.receive(new ArrayBuffer(1));
  // @ts-expect-error a number is no data
  socket.send(5);
  // @ts-expect-error a number is no FileDescriptor
  new SeqpacketSocket(3);
  // @ts-expect-error internals are not in the types
  socket.descriptor;
  // @ts-expect-error neither are these
  socket.begin(3);

  const descriptor = socket.release();
  is<FileType>()(descriptor.type, true);
  is<boolean>()(descriptor.isSocket('unix', 'seqpacket'), true);
  descriptor.nonBlocking = false;

  using first = socket;
  await using second = acceptor;
  using third = socket.release();
  is<number>()(third.detach(), true);
  return [first, second];
}
