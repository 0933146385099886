/** What both ends of a connection know about it beforehand. */
import type { EmptyMessages } from 'seqpacket';
import { MOST } from './ledger.js';
import { Random } from './random.js';

/** The end that connects is side 0. */
export type Side = 0 | 1;

export interface Plan {
  /** What an empty message is, on each side. */
  modes: readonly [EmptyMessages, EmptyMessages];
  /**
   * `orderly`: each end says goodbye and shuts down sending, and both receive all. `close`: the ender closes in the
   * middle of it. `terminate`: the ender is in a worker, which is terminated in the middle of it.
   */
  end: 'orderly' | 'close' | 'terminate';
  ender: Side;
  /** After how many milliseconds. */
  endsAfter: number;
  /** How many messages each side sends. */
  messages: readonly [number, number];
  passCredentials: readonly [boolean, boolean];
  /** In microseconds. */
  busyPoll: readonly [number, number];
}

/** From here on side 0 of a connection is in Python. */
export const PYTHON = 2 ** 30;

export function planOf(seed: number, connection: number): Plan {
  const random = new Random(seed, connection, 2);
  const mode = () => random.pick(['eof', 'deliver'] as const);
  const messages = () => (random.chance(0.3) ? random.between(500, MOST - 300) : random.between(0, 500));
  const plan: Plan = {
    modes: [mode(), mode()],
    end: random.weighted({ orderly: 45, close: 35, terminate: 20 }),
    ender: random.pick([0, 1]),
    endsAfter: random.chance(0.3) ? 0 : random.between(1, 300),
    messages: [messages(), messages()],
    passCredentials: [random.chance(0.2), random.chance(0.2)],
    busyPoll: [random.chance(0.1) ? 50 : 0, random.chance(0.1) ? 50 : 0],
  };
  if (connection < PYTHON) return plan;
  return {
    ...plan,
    modes: ['deliver', plan.modes[1]],
    end: random.pick(['orderly', 'close']),
    messages: [random.between(0, 500), plan.messages[1]],
    passCredentials: [false, false],
  };
}
