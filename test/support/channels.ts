/** Channels in shared memory. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen, pair, type SharedChannel, type ShareMemoryOptions, shareMemory } from 'seqpacket';
import { scratchDirectory } from './scratch.js';

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

/** A process at the other end of a channel, which runs the script with `channel`, and is killed after the test. */
export async function childWith(
  t: TestContext,
  script: string,
  options?: ShareMemoryOptions,
): Promise<{ child: ChildProcess; channel: SharedChannel }> {
  const directory = scratchDirectory();
  const path = `${directory}/socket`;
  using server = listen(path);
  const file = `${directory}/child.mjs`;
  const library = new URL('../../../dist/index.mjs', import.meta.url);
  const prelude = `import { connect, shareMemory } from '${library}';
    const channel = await shareMemory(await connect('${path}'), ${JSON.stringify(options)});`;
  writeFileSync(file, `${prelude}\n${script}`);
  const child = fork(file);
  t.after(() => child.kill('SIGKILL'));
  const channel = await shareMemory(await server.accept(), options);
  t.after(() => channel.close());
  return { child, channel };
}
