/**
 * Random sequences of every operation, each compared with a model (support/model/): the value that it returns, the
 * error that it throws, the promises that settle, with their values and in their order, the state of every
 * socket, the open descriptors of this process, and the socket files.
 *
 *   SEQPACKET_MODEL_STEPS=200000   runs at least this many steps; the default is a run of 1.5 seconds
 *   SEQPACKET_SEED=…               repeats a run
 */
import { test } from 'node:test';
import fc from 'fast-check';
import { BIASES } from '../support/model/biases.js';
import { World } from '../support/model/real/world.js';
import { sequences } from '../support/model/sequences.js';

const RUNS_AT_ONCE = 40;
const DEFAULT_DURATION_MS = 1_500;

test('random operations agree with the model', async (t) => {
  const wantedSteps = Number(process.env['SEQPACKET_MODEL_STEPS'] ?? 0);
  const seed = Number(process.env['SEQPACKET_SEED'] ?? Date.now() % 2 ** 31);
  const started = performance.now();
  /** In milliseconds, for an operation that has to settle. */
  let patience = 5000;
  let steps = 0;
  let runs = 0;
  const property = fc.asyncProperty(fc.oneof(...BIASES.map(sequences)), async (sequence) => {
    runs++;
    using world = new World(patience);
    try {
      await fc.asyncModelRun(() => ({ model: world, real: world }), sequence);
      await world.finish();
    } catch (error) {
      // Shrinking makes the sequence fail many times.
      patience = 300;
      throw error;
    } finally {
      steps += world.steps;
    }
  });
  const goesOn = () =>
    wantedSteps > 0 ? steps < wantedSteps : performance.now() - started < DEFAULT_DURATION_MS;
  for (let batch = 0; goesOn(); batch++) {
    await fc.assert(property, { seed: seed + batch, numRuns: RUNS_AT_ONCE, includeErrorInReport: true });
  }
  t.diagnostic(`model: ${steps} steps in ${runs} runs agree (SEQPACKET_SEED=${seed})`);
});
