import fc from 'fast-check';
import type { FdSource } from 'seqpacket';
import { KernelSocket } from '../expected/kernel.js';
import { NOT_OPEN } from '../expected/message.js';
import type { World } from '../real/world.js';
import { descriptor, ownOf } from './own-descriptors.js';

/** Which of the test's own descriptors to send, how it is given, and how many times. */
export const sources = fc.oneof(
  { withCrossShrink: true },
  {
    weight: 12,
    arbitrary: fc.array(
      fc.record({ own: descriptor, as: fc.constantFrom('owner', 'number', 'object', 'not open') }),
      {
        maxLength: 4,
      },
    ),
  },
  { weight: 1, arbitrary: fc.constant(Array.from({ length: 253 }, () => ({ own: 0, as: 'number' }))) },
);

export interface Source {
  own: number;
  as: string;
}

/** A source of a descriptor, and the number of its file, if there is one. */
export function sourcesOf(world: World, sources: readonly Source[]) {
  return sources.flatMap(({ own, as }): { source: FdSource; file: number }[] => {
    const { real, content } = ownOf(world, own);
    // Sockets are not sent: those that travel over each other are closed whenever the kernel looks for them.
    if (content instanceof KernelSocket) return [];
    if (as === 'not open') return [{ source: 99_999, file: NOT_OPEN }];
    if (as === 'owner' || content === undefined) return [{ source: real, file: content ?? NOT_OPEN }];
    return [{ source: as === 'number' ? real.fd : { fd: real.fd }, file: content }];
  });
}
