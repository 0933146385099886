import fc from 'fast-check';
import { paths } from '../real/files.js';
import { ACCEPTORS, SOCKETS } from '../real/world.js';

/** The first two begin as a pair. */
export const socket = fc.oneof(
  { weight: 2, arbitrary: fc.nat(1) },
  { weight: 1, arbitrary: fc.nat(SOCKETS - 1) },
);

export const acceptor = fc.nat(ACCEPTORS - 1);

export const path = fc.oneof(
  { weight: 1, arbitrary: fc.constant(paths[0]!) },
  { weight: 1, arbitrary: fc.constantFrom(...paths) },
);

export const emptyMessages = fc.constantFrom('eof' as const, 'deliver' as const);

export const backlog = fc.nat(2);
