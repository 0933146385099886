/**
 * AF_UNIX + SOCK_SEQPACKET sockets for Node.js.
 *
 * @packageDocumentation
 */

export type { AllowedPeers } from './accepting/admission';
export type { SocketPath } from './addresses/address';
export type { Buffers, Data, DataPart, MessageOptions, SignalOption, TimeoutOption } from './arguments';
export type { FileType, SocketFamily, SocketType } from './descriptors/descriptor-kind';
export { type FdSource, FileDescriptor } from './descriptors/file-descriptor';
export type { AbortError, SeqpacketError } from './errors';
export type { Counters } from './messages/connection';
export type { EmptyMessages } from './messages/empty-messages';
export { MessageBatch, type MessageBatchOptions } from './messages/message-batch';
export { MessageFlag } from './messages/message-flag';
export type { Message, ReceivedWithFds } from './messages/receive-attempts';
export type { Borrowed } from './shared-memory/borrowed';
export { type ChannelWaitOptions, SharedChannel } from './shared-memory/channel';
export { type ShareMemoryOptions, shareMemory } from './shared-memory/hand-shake';
export type { Lease } from './shared-memory/lease';
export {
  type AcceptorCounters,
  type AcceptorOptions,
  type Refusal,
  SeqpacketAcceptor,
} from './sockets/acceptor';
export { type ActivatedSocket, activated } from './sockets/activation';
export {
  type ConnectOptions,
  type ConnectSyncOptions,
  connect,
  connectSync,
  type PairOptions,
  pair,
} from './sockets/connect';
export { type ListenOptions, listen } from './sockets/listen';
export type { SettableSocketOptions, SocketOptions } from './sockets/options';
export { pairForChild } from './sockets/pair-for-child';
export {
  type ReceiveManyOptions,
  type ReceiveManySyncOptions,
  type ReceiveMessageOptions,
  type ReceiveMessageSyncOptions,
  type ReceiveSyncOptions,
  type SendSyncOptions,
  SeqpacketSocket,
} from './sockets/socket';
export type { Credentials, PeerCredentials } from './system/peer-credentials';
