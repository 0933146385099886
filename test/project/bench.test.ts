/** The programs of the benchmark work together and report what they should. How fast they are is not asked here. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { missing } from '../support/programs.js';

interface Run {
  server: string[];
  client: string[];
  size: number;
  variants?: string[];
  endless?: boolean;
}
interface Conditions {
  cpus: [number, number];
  warmUp: number;
  measure: number;
}
interface Bench {
  contestants: Record<string, { command(role: string): string[]; variants?: string[] }>;
  allowedCpus(): number[];
  compileLimit(): void;
  measureRate(run: Run, conditions: Conditions): Promise<{ perSecond: number; cpuMicroseconds: number }>;
  measureIdle(run: Run, conditions: Conditions): Promise<Record<string, number>>;
  measurePending(run: Omit<Run, 'server'>, conditions: Conditions): Promise<Record<string, number>>;
  MessageParser: new (onMessage: (message: Buffer) => void) => { push(chunk: Buffer): void };
  targets: { group: string; ours: string; theirs: string }[];
  works(quick: boolean): { name: string; entries: { contestant: string }[] }[];
}

const names = ['contestants', 'cpus', 'prepare', 'measure', 'peers/framing', 'targets', 'works'];
const modules = names.map((name) => import(new URL(`../../../bench/${name}.mjs`, import.meta.url).href));
const bench: Bench = Object.assign({}, ...(await Promise.all(modules)));

const cpu = bench.allowedCpus()[0]!;
const conditions: Conditions = { cpus: [cpu, cpu], warmUp: 20, measure: 20 };
const skip = missing('taskset');

before(() => {
  process.env['SEQPACKET_BENCH_ROUNDS'] = '3';
  bench.compileLimit();
});

function command(contestant: string, role: string): string[] {
  return bench.contestants[contestant]!.command(role);
}

async function measures(contestant: string, server: string, client: string, size: number, endless = false) {
  const { variants } = bench.contestants[contestant]!;
  const run: Run = {
    server: command(contestant, server),
    client: command(contestant, client),
    size,
    endless,
  };
  if (variants !== undefined) run.variants = variants;
  const { perSecond, cpuMicroseconds } = await bench.measureRate(run, conditions);
  assert.ok(perSecond > 0 && Number.isFinite(perSecond), `${perSecond} per second`);
  if (!endless) assert.ok(cpuMicroseconds > 0, `${cpuMicroseconds} µs of CPU time each`);
}

for (const contestant of ['c-blocking', 'c-epoll', 'seqpacket', 'net']) {
  test(`${contestant} measures round trips`, { skip }, () => measures(contestant, 'echo', 'ping', 64));
}

for (const contestant of ['c-blocking', 'c-epoll', 'c-batches', 'seqpacket', 'net', 'net-large-queue']) {
  test(`${contestant} measures one way`, { skip }, () => measures(contestant, 'sink', 'flood', 200_000));
}

for (const contestant of ['seqpacket-batches', 'seqpacket-iterator']) {
  test(`${contestant} measures one way`, { skip }, () => measures(contestant, 'sink', 'flood', 64));
}

for (const contestant of ['seqpacket-blocking', 'floor-blocking', 'fs']) {
  test(`${contestant} measures round trips and one way`, { skip }, async () => {
    await measures(contestant, 'echo', 'ping', 64);
    await measures(contestant, 'sink', 'flood', 64);
  });
}

test('seqpacket-blocking-batches measures one way', { skip }, () =>
  measures('seqpacket-blocking-batches', 'sink', 'flood', 64),
);

test('shared-busy-poll measures round trips', { skip }, () =>
  measures('shared-busy-poll', 'echo', 'ping', 64),
);

for (const contestant of ['shared-receive', 'shared-lent']) {
  test(`${contestant} measures one way`, { skip }, () => measures(contestant, 'sink', 'flood', 100_000));
}

test('descriptors are counted', { skip }, async () => {
  await measures('c', 'descriptors sink', 'descriptors flood', 1);
  await measures('seqpacket', 'sink-descriptors', 'flood-descriptors', 1);
});

test('connections are counted', { skip }, async () => {
  await measures('c', 'connections accept', 'seqpacket storm', 1, true);
  for (const contestant of ['seqpacket', 'net']) await measures(contestant, 'accept', 'storm', 1, true);
});

test('idle connections are weighed', { skip }, async () => {
  for (const [contestant, type] of [
    ['seqpacket', 'seqpacket'],
    ['net', 'stream'],
  ] as const) {
    const client = command('c', `${type} hold`);
    const run = { server: command(contestant, 'idle'), client, size: 400, first: 100 };
    const { connections, javascriptBytes } = await bench.measureIdle(run, conditions);
    assert.equal(connections, 400);
    assert.ok(javascriptBytes! > 0);
  }
});

test('waiting operations are timed', { skip }, async () => {
  const microseconds = await bench.measurePending(
    { client: command('pending', 'pending'), size: 10 },
    { ...conditions, measure: 4, warmUp: 4 },
  );
  assert.ok(Object.keys(microseconds).length > 0);
  for (const [name, each] of Object.entries(microseconds)) assert.ok(each > 0, name);
});

test('a failing contestant reports the reason', { skip }, async () => {
  const run = { server: command('seqpacket', 'no-such-role'), client: command('seqpacket', 'ping'), size: 1 };
  await assert.rejects(
    bench.measureRate(run, conditions),
    /the server ended with 1: Error: no role no-such-role/,
  );
});

test('messages on a stream come out whole, however the stream is cut', () => {
  const messages = [1, 3, 4, 5, 100, 70_000].map((length) => Buffer.alloc(length, length % 251));
  const stream = Buffer.concat(
    messages.flatMap((message) => {
      const header = Buffer.alloc(4);
      header.writeUInt32LE(message.length);
      return [header, message];
    }),
  );
  for (const size of [1, 2, 3, 5, 7, 64, 65_536, stream.length]) {
    const parsed: Buffer[] = [];
    const parser = new bench.MessageParser((message) => parsed.push(Buffer.from(message)));
    for (let at = 0; at < stream.length; at += size) parser.push(stream.subarray(at, at + size));
    assert.deepEqual(parsed, messages, `in pieces of ${size}`);
  }
});

test('every target is about something that is measured', () => {
  const groups = new Map(bench.works(false).map(({ name, entries }) => [name, entries]));
  for (const { group, ours, theirs } of bench.targets) {
    const contestants = groups.get(group)?.map(({ contestant }) => contestant);
    assert.ok(contestants?.includes(ours) && contestants.includes(theirs), `${group}: ${ours}, ${theirs}`);
  }
});
