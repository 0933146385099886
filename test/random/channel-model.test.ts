/**
 * Random sequences of the operations of a channel, each compared with a model (support/channel-model.ts): what is
 * received, with which descriptors, in which order, what may wait, what fails and why, and what stays open.
 *
 *   SEQPACKET_MODEL_STEPS=200000   runs at least this many steps; the default is a run of 1.5 seconds
 *   SEQPACKET_SEED=…               repeats a run
 */
import { test } from 'node:test';
import fc from 'fast-check';
import { ChannelWorld, OPERATIONS } from '../support/channel-model.js';

const RUNS_AT_ONCE = 40;
const DEFAULT_DURATION_MS = 1_500;
const LONGEST_RUN = 150;

type Name = keyof typeof OPERATIONS;

/** The names of the operations that come more often than others; in each run other ones. */
const FREQUENT: readonly (readonly Name[])[] = [
  [],
  ['send', 'sendMany', 'trySend'],
  ['receive', 'receiveMessage', 'next', 'borrow'],
  ['sendWithFds', 'receiveMessage', 'cancel'],
  ['lease', 'endLease', 'borrow', 'release'],
  ['sendMany', 'sendBatch', 'receiveMany', 'receiveBatch'],
  ['sendSync', 'receiveMessageSync', 'trySend', 'tryReceive', 'abort'],
];
const RARE: readonly Name[] = ['shutdown', 'close', 'cancel', 'abort'];

function sequence(frequent: readonly Name[]) {
  const names = (Object.keys(OPERATIONS) as Name[]).map((name) => ({
    weight: frequent.includes(name) ? 40 : RARE.includes(name) ? 1 : 5,
    arbitrary: fc.constant(name),
  }));
  const step = fc.record({
    name: fc.oneof(...names),
    end: fc.nat(1),
    size: fc.nat(999),
    count: fc.nat(9),
    turns: fc.nat(2),
  });
  return fc.record({
    capacity: fc.constantFrom(4096, 16_384),
    steps: fc.array(step, { maxLength: LONGEST_RUN, size: 'max' }),
  });
}

test('random operations on a channel agree with the model', async (t) => {
  const wantedSteps = Number(process.env['SEQPACKET_MODEL_STEPS'] ?? 0);
  const seed = Number(process.env['SEQPACKET_SEED'] ?? Date.now() % 2 ** 31);
  const started = performance.now();
  let done = 0;
  let runs = 0;
  const property = fc.asyncProperty(fc.oneof(...FREQUENT.map(sequence)), async ({ capacity, steps }) => {
    runs++;
    const world = await ChannelWorld.create(capacity);
    try {
      for (const { name, end, size, count, turns } of steps) {
        world.operate(name, end, size, count);
        // What has settled is compared before the next operation.
        await new Promise<void>((resolve) => process.nextTick(resolve));
        world.check();
        if (turns > 0) await world.turn();
      }
      await world.finish();
    } finally {
      done += world.steps;
      for (const each of world.ends) each.close();
    }
  });
  const goesOn = () =>
    wantedSteps > 0 ? done < wantedSteps : performance.now() - started < DEFAULT_DURATION_MS;
  for (let batch = 0; goesOn(); batch++) {
    await fc.assert(property, { seed: seed + batch, numRuns: RUNS_AT_ONCE, includeErrorInReport: true });
  }
  t.diagnostic(`channel model: ${done} steps in ${runs} runs agree (SEQPACKET_SEED=${seed})`);
});
