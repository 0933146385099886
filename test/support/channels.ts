/** Channels in shared memory. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { pair, type SharedChannel, type ShareMemoryOptions, shareMemory } from 'seqpacket';

/** Two connected channels that are closed with the scope. */
export async function channelPair(options?: ShareMemoryOptions) {
  const [left, right] = pair();
  const [a, b] = await Promise.all([shareMemory(left, options), shareMemory(right, options)]);
  return {
    a,
    b,
    [Symbol.dispose]() {
      a.close();
      b.close();
    },
  };
}

/** The number of regions that are mapped in this process. */
export function mappedRegions(): number {
  return readFileSync('/proc/self/maps', 'utf8').match(/memfd:seqpacket/g)?.length ?? 0;
}

/** Waits until no region is mapped any more, which takes a few turns of the event loop after channels were closed. */
export async function allUnmapped(): Promise<void> {
  for (let i = 0; i < 500 && mappedRegions() > 0; i++) await sleep(10);
  if (mappedRegions() > 0) throw new Error(`${mappedRegions()} regions are still mapped`);
}

/** Fills the ring with messages of this length until there is no room; returns how many there are. */
export function fillRing(channel: SharedChannel, bytes = 64): number {
  const message = Buffer.alloc(bytes);
  let count = 0;
  while (channel.trySend(message)) count++;
  return count;
}
