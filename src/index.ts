/**
 * AF_UNIX + SOCK_SEQPACKET sockets for Node.js.
 *
 * @packageDocumentation
 */
export { type AcceptorCounters, type AcceptorOptions, type Refusal, SeqpacketAcceptor } from './sockets/acceptor';
export { type ActivatedSocket, activated } from './sockets/activation';
export type { SocketPath } from './addresses/address';
export type { Credentials } from './messages/ancillary-data';
export type { Buffers, Data, DataPart, MessageOptions, SignalOption } from './arguments';
export { pairForChild } from './sockets/pair-for-child';
export { type ConnectOptions, connect, type PairOptions, pair } from './sockets/connect';
export type { Counters } from './messages/connection';
export type { FileType, SocketFamily, SocketType } from './descriptors/descriptor-kind';
export type { AbortError, SeqpacketError } from './errors';
export { type FdSource, FileDescriptor } from './descriptors/file-descriptor';
export { type ListenOptions, listen } from './sockets/listen';
export { MessageFlag } from './messages/message-flag';
export type { PeerCredentials } from './system/socket-options';
export type { AllowedPeers } from './accepting/admission';
export type { EmptyMessages, Message, ReceivedWithFds } from './messages/receiving';
export {
  type ReceiveManyOptions,
  type ReceiveMessageOptions,
  SeqpacketSocket,
  type SettableSocketOptions,
  type SocketOptions,
} from './sockets/socket';
