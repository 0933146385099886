/** The face for `import`: the very same classes that `require` gives. */

export type * from './index.js';
export { FileDescriptor, listen, MessageFlag, SeqpacketAcceptor, SeqpacketSocket } from './index.js';
