/**
 * AF_UNIX + SOCK_SEQPACKET sockets for Node.js.
 *
 * @packageDocumentation
 */
export { type AcceptorCounters, type AcceptorOptions, type Refusal, SeqpacketAcceptor } from './acceptor';
export { type ActivatedSocket, activated } from './activation';
export type { SocketPath } from './address';
export type { Credentials } from './ancillary-data';
export type { Buffers, Data, DataPart, MessageOptions, SignalOption } from './arguments';
export { pairForChild } from './child-process';
export { type ConnectOptions, connect, type PairOptions, pair } from './connect';
export type { Counters } from './connection';
export type { FileType, SocketFamily, SocketType } from './descriptor-kind';
export type { AbortError, SeqpacketError } from './errors';
export { type FdSource, FileDescriptor } from './file-descriptor';
export { type ListenOptions, listen } from './listen';
export { MessageFlag } from './message-flag';
export type { PeerCredentials } from './options';
export type { AllowedPeers } from './peer-admission';
export type { EmptyMessages, Message, ReceivedWithFds } from './receiving';
export {
  type ReceiveManyOptions,
  type ReceiveMessageOptions,
  SeqpacketSocket,
  type SettableSocketOptions,
  type SocketOptions,
} from './socket';
