import type { TestContext } from 'node:test';
import fc from 'fast-check';
import type { Bias } from './biases.js';
import type { CommandKind } from './command.js';
import type { World } from './real/world.js';
import { sequences } from './sequences.js';

const RUNS_AT_ONCE = 40;
const DEFAULT_DURATION_MS = 1_000;

/** Runs random sequences of commands in worlds of one kind. Fails with the shortest one that does not agree. */
export async function assertAgreement(
  t: TestContext,
  begin: (patience: number) => World,
  commands: readonly CommandKind[],
  biases: readonly Bias[],
): Promise<void> {
  const wantedSteps = Number(process.env['SEQPACKET_MODEL_STEPS'] ?? 0);
  const seed = Number(process.env['SEQPACKET_SEED'] ?? Date.now() % 2 ** 31);
  const started = performance.now();
  /** In milliseconds, for an operation that has to settle. */
  let patience = 5000;
  let steps = 0;
  let runs = 0;
  const each = fc.oneof(...biases.map((bias) => sequences(commands, bias)));
  const property = fc.asyncProperty(each, async (sequence) => {
    runs++;
    using world = begin(patience);
    try {
      await world.begin();
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
}
