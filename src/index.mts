/** The face for `import`: the very same classes that `require` gives. */

export type * from './index.js';
export {
  activated,
  connect,
  FileDescriptor,
  listen,
  MessageFlag,
  pair,
  pairForChild,
  SeqpacketAcceptor,
  SeqpacketSocket,
} from './index.js';
