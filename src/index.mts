/** The public API for `import`. It exports the same classes as `require`. */

export type * from './index.js';
export {
  activated,
  connect,
  connectSync,
  FileDescriptor,
  listen,
  MessageBatch,
  MessageFlag,
  pair,
  pairForChild,
  SeqpacketAcceptor,
  SeqpacketSocket,
  SharedChannel,
  shareMemory,
} from './index.js';
