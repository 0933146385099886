/**
 * Two processes that send and receive in every way that the library has, over several connections at once, in both
 * directions, with descriptors, while operations are aborted and cancelled, sockets change their owner, peers close and
 * threads are terminated. Every message and every descriptor is accounted for.
 *
 *   SEQPACKET_SOAK_SECONDS=600   for how long; 1 by default
 *   SEQPACKET_SEED=N             the same choices again; how they interleave is for the scheduler to say
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { missing } from '../support/programs.js';
import { scratchDirectory } from '../support/scratch.js';
import type { FromChild, ToChild } from '../support/soak/child.js';
import { compare } from '../support/soak/ledger.js';
import { EVENTS } from '../support/soak/link.js';
import { TABLE } from '../support/soak/message.js';
import { type Finished, Party, type Result, type Setting } from '../support/soak/party.js';
import { planOf, type Side } from '../support/soak/plan.js';

const SECONDS = Number(process.env['SEQPACKET_SOAK_SECONDS'] ?? 1);
const SEED = Number(process.env['SEQPACKET_SEED'] ?? Date.now() % 2 ** 31);
const SANITIZED = process.env['SEQPACKET_SANITIZED'] !== undefined;
/** In seconds without any progress. */
const PATIENCE = SANITIZED ? 100 : 20;
const MIB = 2 ** 20;
/** In bytes, for what is no leak: the noise of the collector and, much more, of the allocator. */
const MOST_GROWTH = { held: 8 * MIB, resident: 96 * MIB };
const SHOWN_FAULTS = 10;
/** In so many seconds everything happens. */
const ENOUGH = 20;

const CHILD = fileURLToPath(new URL('../support/soak/child.js', import.meta.url));

test(`everything at once for ${SECONDS} s, with 0 faults`, async (t) => {
  t.diagnostic(`SEQPACKET_SEED=${SEED}`);
  const directory = scratchDirectory();
  const files = ['a', 'b', 'c', 'd', 'e'].map((name) => join(directory, name));
  for (const file of files) writeFileSync(file, '');
  const hasPython = !missing('python3');
  const table = join(directory, 'table');
  writeFileSync(table, TABLE);
  const child = fork(CHILD, { serialization: 'advanced' });
  t.after(() => child.kill('SIGKILL'));

  const faults: string[] = [];
  const half = new Map<number, Finished>();
  let connections = 0;
  let messages = 0;
  let firstFault!: () => void;
  const failed = new Promise<void>((resolve) => {
    firstFault = resolve;
  });
  const report = (process: string) => (fault: string) => {
    faults.push(`${process}: ${fault}`);
    firstFault();
  };
  const finished = (end: Finished) => {
    const other = half.get(end.connection);
    if (other === undefined) return half.set(end.connection, end);
    half.delete(end.connection);
    connections++;
    messages += end.account.received.length + other.account.received.length;
    for (const [sender, receiver] of [
      [end, other],
      [other, end],
    ] as const) {
      for (const fault of compareEnds(sender, receiver)) report('both')(fault);
    }
    return undefined;
  };
  const expected = new Map<string, () => void>();
  const expect = (what: string) => new Promise<void>((resolve) => expected.set(what, resolve));
  let result: Result | undefined;
  child.on('message', (message: FromChild) => {
    if (typeof message === 'string') expected.get(message)?.();
    else if ('fault' in message) report('child')(message.fault);
    else if ('finished' in message) finished(message.finished);
    else {
      result = message.result;
      expected.get('result')?.();
    }
  });
  const exited = new Promise<never>((_, reject) => {
    child.once('exit', (code, signal) => {
      if (result === undefined) reject(new Error(`The child ended with ${code ?? signal}; ${shown(faults)}`));
    });
  });
  exited.catch(() => {});
  /** What hangs is reported after `PATIENCE`, and does not end. */
  const inTime = async <T>(what: string, promise: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      const late = () => reject(new Error(`${what} does not end; ${shown(faults)}`));
      timer = setTimeout(late, 2000 * PATIENCE);
    });
    try {
      return await Promise.race([promise, exited, overdue]);
    } finally {
      clearTimeout(timer);
    }
  };
  const tell = (message: ToChild) => child.send(message);

  const setting: Omit<Setting, 'role' | 'peer'> = {
    seed: SEED,
    paths: [join(directory, '0'), join(directory, '1')],
    files,
    table: hasPython ? table : undefined,
    patience: PATIENCE,
  };
  const ready = expect('ready');
  tell({ begin: { ...setting, role: 1, peer: process.pid } });
  const party = await Party.begin({ ...setting, role: 0, peer: child.pid! }, report('parent'), finished);
  await Promise.race([ready, exited]);

  const stopped = expect('stopped');
  tell('run');
  const running = party.run();
  const time = new AbortController();
  const over = sleep(1000 * SECONDS, undefined, { signal: time.signal });
  await Promise.race([over, failed, exited]);
  time.abort();
  party.stop();
  tell('stop');
  await inTime('the soak', Promise.all([running, stopped]));
  const childsEnd = expect('result');
  tell('end');
  const own = await inTime('the parent', party.end());
  await inTime('the child', childsEnd);

  for (const [process, { leaked, growth }] of [
    ['parent', own],
    ['child', result!],
  ] as const) {
    if (leaked.length > 0) report(process)(`leaked descriptors: ${leaked.join(', ')}`);
    if (growth === undefined) continue;
    const { held, resident } = growth;
    const text = `memory grew by ${(held / MIB).toFixed(1)} MiB, resident by ${(resident / MIB).toFixed(1)} MiB`;
    t.diagnostic(`${process}: ${text}`);
    if (held > MOST_GROWTH.held || (resident > MOST_GROWTH.resident && !SANITIZED)) report(process)(text);
  }
  if (half.size > 0) report('both')(`connections with one end only: ${[...half.keys()].join(', ')}`);
  t.diagnostic(`${messages} messages over ${connections} connections`);
  assert.equal(faults.length, 0, shown(faults));
  const tally = EVENTS.map((event) => [event, own.tally[event] + result!.tally[event]] as const);
  t.diagnostic(tally.map(([event, times]) => `${event}: ${times}`).join(', '));
  assert.ok(connections > 0 && messages > 0);
  if (SECONDS < ENOUGH) return;
  for (const [event, times] of tally) {
    if (event === 'with Python' && !hasPython) continue;
    assert.notEqual(times, 0, `${event}: never happened`);
  }
});

function shown(faults: readonly string[]): string {
  return `${faults.length} faults:\n${faults.slice(0, SHOWN_FAULTS).join('\n')}`;
}

/** What is wrong with the messages in one direction. */
function compareEnds(sender: Finished, receiver: Finished): string[] {
  const { modes, end, ender } = planOf(SEED, sender.connection);
  const mayEndWithEmpty = modes[receiver.side as Side] === 'eof';
  const { isTerminated } = sender;
  return compare(sender.account, receiver.account, { mayEndWithEmpty, isTerminated }).map(
    (fault) =>
      `connection ${sender.connection} (${end} by ${ender}), from side ${sender.side} to side ${receiver.side}: ${fault}`,
  );
}
