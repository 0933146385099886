import fc from 'fast-check';
import type { Ticket } from '../expected/operation.js';
import { failed } from '../expected/outcome.js';
import type { World } from '../real/world.js';

/** `'own'` is a signal of its own, `'shared'` the one that was made last, `'aborted'` one that is aborted already. */
export const signal = fc.oneof(
  { weight: 4, arbitrary: fc.constant('none' as const) },
  { weight: 4, arbitrary: fc.constantFrom('own' as const, 'shared' as const) },
  { weight: 1, arbitrary: fc.constant('aborted' as const) },
);

export type SignalKind = 'none' | 'own' | 'shared' | 'aborted';

export function signalOf(world: World, kind: SignalKind): AbortSignal | undefined {
  if (kind === 'none') return undefined;
  if (kind === 'aborted') return AbortSignal.abort('before');
  if (kind === 'own') world.controllers.push(new AbortController());
  return world.controllers.at(-1)!.signal;
}

export function abortedBefore(signal: AbortSignal | undefined): string | undefined {
  return signal?.aborted ? `ABORT_ERR: ${signal.reason}` : undefined;
}

/** Starts an operation unless the model says that it is refused. */
export function operate(refused: string | undefined, ticket: Ticket, begin: () => void): void {
  if (refused === undefined) begin();
  else ticket.expect(failed(refused));
}
