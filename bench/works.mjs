// What is measured: groups of runs that are compared with each other.
import { spawnSync } from 'node:child_process';
import { contestants } from './contestants.mjs';
import { allowedCpus } from './cpus.mjs';
import { FIRST_CONNECTIONS, measureIdle, measurePending, measureRate } from './measure.mjs';

const SIZES = [64, 1024, 16_384, 65_536, 204_800];
/** Growth shows in the differences within a round: few rounds will do. */
const GROWTH_ROUNDS = 2;
/** Besides those of connections. */
const SPARE_FILES = 500;
const QUICK_SIZES = [64, 65_536];

export function sizeTitle(size) {
  if (size < 1024) return `${size} B`;
  return size < 1 << 20 ? `${size / 1024} KiB` : `${size >> 20} MiB`;
}

function messages(contestant, server, client, options) {
  const { command, startsServer = false, warmsUp, variants } = contestants[contestant];
  const run = {
    server: startsServer ? undefined : command(server),
    client: command(client),
    warmsUp,
    variants,
    ...options,
  };
  return { contestant, measure: (conditions) => measureRate(run, conditions) };
}

const everybody = ['seqpacket', 'net', 'node-unix-socket', 'zeromq', 'child-process', 'python', 'go'];

function roundTrip(size) {
  return {
    suite: 'round-trip',
    name: `round-trip-${size}`,
    title: `round trip, ${sizeTitle(size)}`,
    size,
    entries: ['c-epoll', 'c-blocking', 'floor', 'floor-promises', ...everybody].map((each) =>
      messages(each, 'echo', 'ping', { size }),
    ),
  };
}

function oneWay(size) {
  const names = [
    'c-blocking',
    'c-epoll',
    'c-batches',
    'floor',
    'floor-promises',
    'floor-batch',
    'seqpacket',
    'seqpacket-batch',
    'seqpacket-batches',
    'seqpacket-iterator',
  ];
  return {
    suite: 'one-way',
    name: `one-way-${size}`,
    title: `one way, ${sizeTitle(size)}`,
    size,
    entries: [...names, 'net', 'net-large-queue', ...everybody.slice(2)].map((each) =>
      messages(each, 'sink', 'flood', { size }),
    ),
  };
}

/** Calls that block their thread, and our own asynchronous ones. */
const blocking = [
  {
    suite: 'blocking',
    name: 'blocking-round-trip',
    title: 'round trip by blocking calls, 64 B',
    entries: [
      ...['c-blocking', 'floor-blocking', 'seqpacket-blocking', 'seqpacket', 'net'],
      ...['fs', 'synckit', 'sync-child-process', 'python'],
    ].map((each) => messages(each, 'echo', 'ping', { size: 64 })),
  },
  {
    suite: 'blocking',
    name: 'blocking-one-way',
    title: 'one way by blocking calls, 64 B',
    entries: [
      ...['c-blocking', 'floor-blocking', 'seqpacket-blocking', 'seqpacket-blocking-batches'],
      ...['seqpacket', 'net', 'fs', 'python'],
    ].map((each) => messages(each, 'sink', 'flood', { size: 64 })),
  },
];

const descriptors = {
  suite: 'descriptors',
  name: 'descriptors',
  title: 'descriptors passed',
  entries: [
    messages('c', 'descriptors sink', 'descriptors flood', { size: 1 }),
    messages('floor-calls', 'sink-descriptors', 'flood-descriptors', { size: 1 }),
    messages('seqpacket', 'sink-descriptors', 'flood-descriptors', { size: 1 }),
    messages('python', 'sink-descriptors', 'flood-descriptors', { size: 1 }),
  ],
};

const connections = {
  suite: 'connections',
  name: 'connections',
  title: 'connections, connected and accepted by the same library',
  entries: [
    messages('c', 'connections accept', 'seqpacket storm', { size: 1, endless: true }),
    messages('floor-calls', 'accept', 'storm', { size: 1, endless: true }),
    messages('seqpacket', 'accept', 'storm', { size: 1, endless: true }),
    messages('net', 'accept', 'storm', { size: 1, endless: true }),
  ],
};

function accepted(contestant, server, type) {
  const run = {
    server,
    client: contestants.c.command(`${type} storm`),
    size: 1,
    endless: true,
    warmsUp: true,
  };
  return { contestant, measure: (conditions) => measureRate(run, conditions) };
}

const accepts = {
  suite: 'connections',
  name: 'accepts',
  title: 'connections accepted from a client in C',
  entries: [
    accepted('c', contestants.c.command('connections accept'), 'seqpacket'),
    accepted('seqpacket', contestants.seqpacket.command('accept'), 'seqpacket'),
    accepted('net', contestants.net.command('accept'), 'stream'),
  ],
};

function idle(count) {
  const entry = (contestant, type) => ({
    contestant,
    measure: (conditions) => {
      const server = contestants[contestant].command('idle');
      return measureIdle({ server, client: contestants.c.command(`${type} hold`), size: count }, conditions);
    },
  });
  return {
    suite: 'idle',
    name: 'idle',
    title: `${count.toLocaleString('en')} idle connections`,
    needsFiles: count + FIRST_CONNECTIONS + SPARE_FILES,
    entries: [
      entry('seqpacket', 'seqpacket'),
      entry('seqpacket-receive', 'seqpacket'),
      entry('net', 'stream'),
    ],
  };
}

/** Two CPUs, one for each process. */
const across = (entry) => ({
  ...entry,
  measure: (conditions) => entry.measure({ ...conditions, cpus: conditions.bothCpus }),
});

const absentAcross = () => (allowedCpus().length < 2 ? 'only one CPU may be used' : undefined);

const cpusTitle = (cpus) => `${cpus} CPU${cpus === 1 ? '' : 's'}`;

const MEGABYTE = 1 << 20;

const SHARED_SIZES = [64, 65_536, 204_800, MEGABYTE];

/** Shared memory beside the socket, one way, on one CPU or on two. */
function sharedOneWay(size, cpus) {
  const names = ['c-blocking', 'seqpacket', 'net-large-queue', 'shared', 'shared-receive', 'shared-batches'];
  if (size < MEGABYTE) names.push('shared-batch');
  if (size > 1024) names.push('shared-lent');
  const entries = names.map((each) => messages(each, 'sink', 'flood', { size }));
  return {
    suite: 'shared-memory',
    name: `shared-memory-${size}-${cpus}`,
    title: `one way, ${sizeTitle(size)}, ${cpusTitle(cpus)}`,
    size,
    absent: cpus === 2 ? absentAcross() : undefined,
    entries: cpus === 2 ? entries.map(across) : entries,
  };
}

/** Polling needs a CPU for each end. */
function sharedRoundTrip(size, cpus) {
  const names = ['c-blocking', 'seqpacket', 'net-large-queue', 'shared'];
  if (cpus === 2) names.push('seqpacket-busy-poll', 'shared-busy-poll');
  const entries = names.map((each) => messages(each, 'echo', 'ping', { size }));
  return {
    suite: 'shared-round-trip',
    name: `shared-round-trip-${size}-${cpus}`,
    title: `round trip, ${sizeTitle(size)}, ${cpusTitle(cpus)}`,
    size,
    absent: cpus === 2 ? absentAcross() : undefined,
    entries: cpus === 2 ? entries.map(across) : entries,
  };
}

function busyPoll() {
  return {
    suite: 'busy-poll',
    name: 'busy-poll',
    title: 'round trip across two CPUs, 64 B',
    absent: absentAcross(),
    entries: [
      messages('c-blocking', 'echo', 'ping', { size: 64 }),
      messages('c-epoll', 'echo', 'ping', { size: 64 }),
      messages('seqpacket', 'echo', 'ping', { size: 64 }),
      messages('seqpacket-busy-poll', 'echo', 'ping', { size: 64 }),
      messages('net', 'echo', 'ping', { size: 64 }),
    ].map(across),
  };
}

/** More sizes than elsewhere, but only the limit to compare with. */
function growthOfSize(size) {
  const names = ['c-blocking', 'seqpacket'];
  return {
    suite: 'growth',
    name: `growth-size-${size}`,
    title: `one way, ${sizeTitle(size)}, beside C alone`,
    size,
    mostRounds: GROWTH_ROUNDS,
    entries: names.map((each) => messages(each, 'sink', 'flood', { size })),
  };
}

/** A server with many connections, whose clients, in C, take turns; or of which only one says anything. */
function growthOfConnections(count, active) {
  const entry = (contestant, server) => {
    const client = contestants.c.command(`many ping-${active}`);
    const run = { server, client, size: count, endless: true, warmsUp: true };
    return { contestant, measure: (conditions) => measureRate(run, conditions) };
  };
  return {
    suite: 'growth',
    name: `growth-connections-${count}-${active}`,
    title: `${count.toLocaleString('en')} connections, ${active} active`,
    size: count,
    active,
    mostRounds: GROWTH_ROUNDS,
    needsFiles: count + FIRST_CONNECTIONS + SPARE_FILES,
    entries: [
      entry('c', contestants.c.command('many echo')),
      entry('seqpacket', contestants.seqpacket.command('echo-many')),
    ],
  };
}

function growthOfPending(count) {
  const client = contestants.pending.command('pending');
  return {
    suite: 'growth',
    name: `growth-pending-${count}`,
    title: `${count.toLocaleString('en')} operations at once`,
    size: count,
    mostRounds: GROWTH_ROUNDS,
    entries: [
      {
        contestant: 'pending',
        measure: (conditions) => measurePending({ client, size: count }, conditions),
      },
    ],
  };
}

/** @param quick fewer sizes, connections and operations */
export function works(quick) {
  const sizes = quick ? QUICK_SIZES : SIZES;
  const growthSizes = quick ? [64, 16_384] : [64, 256, 1024, 4096, 16_384, 65_536, 204_800];
  const sharedSizes = quick ? [64, MEGABYTE] : SHARED_SIZES;
  const counts = quick ? [1, 1000] : [1, 10, 100, 1000, 10_000];
  return [
    ...sizes.map(roundTrip),
    ...sizes.map(oneWay),
    ...blocking,
    descriptors,
    connections,
    accepts,
    busyPoll(),
    ...[1, 2].flatMap((cpus) => sharedSizes.map((size) => sharedOneWay(size, cpus))),
    ...[1, 2].flatMap((cpus) => sharedSizes.map((size) => sharedRoundTrip(size, cpus))),
    idle(quick ? 1000 : 10_000),
    ...growthSizes.map(growthOfSize),
    ...counts.map((count) => growthOfConnections(count, 'all')),
    ...counts.map((count) => growthOfConnections(count, 'one')),
    ...counts.map(growthOfPending),
  ].map(withReasonWhyNot);
}

const filesAllowed = hardLimitOfFiles();

function hardLimitOfFiles() {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  return Number(stdout.trim().replace('unlimited', 'Infinity'));
}

function withReasonWhyNot(group) {
  const { absent, needsFiles = 0 } = group;
  if (needsFiles <= filesAllowed) return group;
  return { ...group, absent: absent ?? `needs ${needsFiles} open files, allowed are ${filesAllowed}` };
}
