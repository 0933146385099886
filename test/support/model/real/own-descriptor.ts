import type { FileDescriptor } from 'seqpacket';
import type { KernelSocket } from '../expected/kernel.js';

/** A descriptor that is the test's own: for one of the files, for a socket, or closed. */
export interface OwnDescriptor {
  real: FileDescriptor;
  content: number | KernelSocket | undefined;
}

export const isClosed = ({ content }: OwnDescriptor) => content === undefined;
