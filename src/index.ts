/**
 * AF_UNIX + SOCK_SEQPACKET sockets for Node.js.
 *
 * @packageDocumentation
 */
export { type AcceptorOptions, SeqpacketAcceptor } from './acceptor';
export type { SocketPath } from './address';
export type { Buffers, MessageOptions, SignalOption } from './arguments';
export type { AbortError, SeqpacketError } from './errors';
export { type FdSource, FileDescriptor } from './file-descriptor';
export { type ListenOptions, listen } from './listen';
export { MessageFlag } from './message-flag';
export type { PeerCredentials } from './options';
export type { EmptyMessages, ReceivedWithFds } from './receiving';
export { SeqpacketSocket, type SettableSocketOptions, type SocketOptions } from './socket';
