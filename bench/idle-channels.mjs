// The CPU time of channels in shared memory on which nothing happens: node bench/idle-channels.mjs [seconds]
//
// 1 channel, and 1,000. Both ends are in this process. At each end, a receive waits. What is printed is the CPU time
// of the process, garbage collection and the runtime's own timers included. 1,000 channels need 6,000 descriptors at
// most, and 16 MiB of memory.
import { setTimeout as sleep } from 'node:timers/promises';
import { pair, shareMemory } from 'seqpacket';

const seconds = Number(process.argv[2] ?? 60);
const BYTES = 4096;
/** V8 collects garbage once more about 8 s after the last work. */
const SETTLE_MS = 10_000;

async function open(count) {
  const channels = [];
  for (let i = 0; i < count; i++) {
    const ends = await Promise.all(pair().map((socket) => shareMemory(socket, { bytes: BYTES })));
    // Each has been used once.
    for (const [from, to] of [ends, [...ends].reverse()]) {
      await from.send('x');
      await to.receiveMessage();
    }
    channels.push(...ends);
  }
  return channels;
}

async function cpuMilliseconds() {
  await sleep(SETTLE_MS);
  const before = process.cpuUsage();
  await sleep(seconds * 1000);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function report(title) {
  console.log(`${title}: ${(await cpuMilliseconds()).toFixed(1)} ms of CPU time in ${seconds} s`);
}

await report('no channel');
for (const count of [1, 1000]) {
  const channels = await open(count);
  const receives = channels.map((channel) => channel.receiveMessage());
  await report(`${count.toLocaleString('en')} idle channel${count === 1 ? '' : 's'}`);
  for (const channel of channels) channel.close();
  await Promise.allSettled(receives);
}
