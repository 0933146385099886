// Tables in Markdown, which also read well as they are.
import { readFileSync, writeFileSync } from 'node:fs';
import { contestants } from './contestants.mjs';
import { plot } from './plot.mjs';
import { figureOf, ratioOf } from './statistics.mjs';
import { targets } from './targets.mjs';
import { sizeTitle } from './works.mjs';

const ABSENT = '–';

/** The whole report: what was measured on, then a table for each suite. */
export function report(measured) {
  const suites = [
    ['round-trip', 'Round trip: time, × that of C’s epoll loop', messageTable('c-epoll', TIME)],
    ['one-way', 'One way: messages/s, × the rate of C’s send/recv', messageTable('c-blocking', RATE)],
    ['one-way', 'One way, MB/s', bytesTable],
    ['one-way', 'CPU time of both processes, µs for each message one way', cpuTable],
    ['blocking', 'Blocking calls, 64 B, × the time or the rate of C’s send/recv', blockingTable],
    ['connections', 'Connections/s, × the rate of C', groupTable('c', RATE)],
    ['descriptors', 'Descriptors passed/s, × the rate of C', groupTable('c', RATE)],
    ['idle', 'Idle connections, bytes each, at the end that has accepted', idleTable],
    [
      'shared-memory',
      'Shared memory: messages/s, × the rate of C’s send/recv on the socket',
      groupTable('c-blocking', RATE),
    ],
    [
      'shared-round-trip',
      'Shared memory, round trip: time, × that of C’s blocking loop on the socket',
      groupTable('c-blocking', TIME),
    ],
    ['busy-poll', 'Round trip across two CPUs: time, × that of C’s blocking loop', busyPollTable],
  ];
  const parts = [machineList(measured)];
  for (const [suite, title, table] of suites) {
    const groups = measured.groups.filter((group) => group.suite === suite);
    if (groups.length > 0) parts.push(section(title, table(groups)));
  }
  const growth = growthTables(measured.groups.filter(({ suite }) => suite === 'growth'));
  parts.push(...growth.map(([title, body]) => section(title, body)));
  const failures = failureList(measured);
  if (failures !== '') parts.push(section('Not measured', failures));
  return parts.join('\n');
}

function section(title, body) {
  return `### ${title}\n\n${body}\n`;
}

function machineList({ machine, date, rounds, measureMilliseconds, groups }) {
  const samples = groups.flatMap(({ entries }) => entries).flatMap((entry) => entry.samples);
  const disturbed = samples.filter((sample) => sample?.disturbed).length;
  const lines = Object.entries({
    CPU: machine.cpu,
    Memory: machine.memory,
    System: [machine.system, machine.kernel].join(', '),
    Programs: ['node', 'compiler', 'python', 'go']
      .map((name) => machine[name])
      .filter(Boolean)
      .join('; '),
    Pinned: `to ${machine.pinnedTo}, both processes`,
    Measured: `${date}, ${rounds} rounds, ${measureMilliseconds} ms for each figure`,
    Disturbed: `${disturbed} of ${samples.length} runs, whose CPU others used too; left out`,
  });
  return `${lines.map(([name, text]) => `- ${name}: ${text}`).join('\n')}\n`;
}

const TIME = {
  value: ({ perSecond }) => 1e6 / perSecond,
  unit: 'µs',
  ratio: ({ perSecond: ours }, { perSecond: theirs }) => theirs / ours,
};
const RATE = {
  value: ({ perSecond }) => perSecond,
  unit: '/s',
  ratio: ({ perSecond: ours }, { perSecond: theirs }) => ours / theirs,
};

function number(value) {
  if (value === undefined || Number.isNaN(value)) return ABSENT;
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

function withSpread({ median, least, greatest }) {
  return `${median.toFixed(2)} (${least.toFixed(2)}–${greatest.toFixed(2)})`;
}

/**
 * The ratio to the reference, and the reference's own figure in its place. Not both for each: medians of figures and
 * medians of ratios, which are taken round by round, can name different winners.
 */
function cell(entry, reference, { value, unit, ratio }) {
  const median = medianOf(entry, value);
  if (median === undefined) return ABSENT;
  const compared = reference && entry !== reference && ratioOf(entry.samples, reference.samples, ratio);
  return compared ? withSpread(compared) : `${number(median)} ${unit}`.replace(' /', '/');
}

function medianOf(entry, figure) {
  return figureOf(entry?.samples ?? [], figure)?.median;
}

function find(group, contestant) {
  return group?.entries.find((entry) => entry.contestant === contestant);
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '--:'))), ...rows.map(line)].join(
    '\n',
  );
}

function namesIn(groups) {
  return [...new Set(groups.flatMap((group) => group.entries.map(({ contestant }) => contestant)))];
}

/** Contestants down, sizes across. */
function sizesAcross(groups, cellOf) {
  const rows = namesIn(groups).map((name) => [
    contestants[name].title,
    ...groups.map((group) => {
      const entry = find(group, name);
      return entry === undefined ? ABSENT : cellOf(entry, group);
    }),
  ]);
  return table(['', ...groups.map(({ size }) => sizeTitle(size))], rows);
}

function messageTable(reference, kind) {
  return (groups) => sizesAcross(groups, (entry, group) => cell(entry, find(group, reference), kind));
}

function bytesTable(groups) {
  return sizesAcross(groups, (entry, { size }) =>
    number(medianOf(entry, ({ perSecond }) => (perSecond * size) / 1e6)),
  );
}

function cpuTable(groups) {
  return sizesAcross(groups, (entry) => number(medianOf(entry, (sample) => sample.cpuMicroseconds)));
}

function groupTable(reference, kind) {
  return (groups) =>
    table(
      ['', ...groups.map(({ title }) => title)],
      namesIn(groups).map((name) => [
        contestants[name].title,
        ...groups.map((group) => cell(find(group, name) ?? { samples: [] }, find(group, reference), kind)),
      ]),
    );
}

function blockingTable(groups) {
  const columns = { 'blocking-round-trip': ['round trip', TIME], 'blocking-one-way': ['one way', RATE] };
  const measured = groups.map((group) => ({
    group,
    head: columns[group.name][0],
    kind: columns[group.name][1],
  }));
  const rows = namesIn(groups).map((name) => [
    contestants[name].title,
    ...measured.map(({ group, kind }) =>
      cell(find(group, name) ?? { samples: [] }, find(group, 'c-blocking'), kind),
    ),
  ]);
  return table(['', ...measured.map(({ head }) => head)], rows);
}

function busyPollTable([group]) {
  const rows = group.entries.map((entry) => [
    contestants[entry.contestant].title,
    cell(entry, find(group, 'c-blocking'), TIME),
  ]);
  return table(['', '64 B'], rows);
}

function idleTable([group]) {
  const columns = {
    JavaScript: (sample) => sample.javascriptBytes,
    'JavaScript and native': (sample) => sample.privateBytes,
    'kernel, both ends': (sample) => sample.kernelBytes,
  };
  const rows = group.entries.map((entry) => [
    contestants[entry.contestant].title,
    ...Object.values(columns).map((value) => number(medianOf(entry, value))),
  ]);
  return table(['', ...Object.keys(columns)], rows);
}

/** What one more byte, connection, or waiting operation costs. */
function growthTables(groups) {
  const named = (prefix) => groups.filter(({ name }) => name.startsWith(prefix));
  const each = ({ perSecond }) => 1e6 / perSecond;
  const tables = [];

  const sizes = named('growth-size');
  const rowOf = (title, contestant, cellOf) => [
    title,
    ...sizes.map((group) => number(cellOf(medianOf(find(group, contestant), each), group.size))),
  ];
  const perMessage = (value) => value;
  const perKibibyte = (value, size) => (value === undefined ? undefined : (value / size) * 1024);
  if (sizes.length > 0) {
    const rows = [
      rowOf('C, µs for each message', 'c-blocking', perMessage),
      rowOf('**seqpacket**, µs for each message', 'seqpacket', perMessage),
      rowOf('C, µs for each KiB', 'c-blocking', perKibibyte),
      rowOf('**seqpacket**, µs for each KiB', 'seqpacket', perKibibyte),
    ];
    const head = ['one way', ...sizes.map(({ size }) => sizeTitle(size))];
    tables.push(['Growth with the size of messages', table(head, rows)]);
  }

  const connections = named('growth-connections');
  if (connections.length > 0) {
    const counts = [...new Set(connections.map(({ size }) => size))];
    const rows = [];
    for (const active of ['all', 'one']) {
      for (const contestant of ['c', 'seqpacket']) {
        const cells = counts.map((count) => {
          const group = connections.find((other) => other.size === count && other.active === active);
          return number(medianOf(find(group, contestant), each));
        });
        const who = active === 'all' ? 'all in turn' : 'one, the others idle';
        rows.push([`${contestants[contestant].title}, ${who}`, ...cells]);
      }
    }
    const head = ['round trip, µs', ...counts.map((count) => count.toLocaleString('en'))];
    tables.push(['Growth with the number of connections of a server', table(head, rows)]);
  }

  const pending = named('growth-pending');
  if (pending.length > 0) {
    const rows = Object.entries(PENDING).map(([name, title]) => [
      title,
      ...pending.map((group) => number(medianOf(find(group, 'pending'), (sample) => sample[name]))),
    ]);
    const head = ['µs for each', ...pending.map(({ size }) => size.toLocaleString('en'))];
    tables.push(['Growth with the number of operations that wait on a socket', table(head, rows)]);
  }
  return tables;
}

const PENDING = {
  receives: 'receives, until all have their message',
  sends: 'sends, until all are received',
  cancelled: 'receives, until `cancel()` has rejected all',
  aborted: 'receives, each aborted by its own signal, from the middle on',
  abortedTogether: 'receives, all aborted by one signal',
  signals: 'for comparison: signals with a listener, without this package',
};

/** Every target, of which the groups were measured. */
export function targetTable({ groups }) {
  const rows = [];
  for (const { group: name, ours, theirs, limit, ratio, words, isMet } of targets) {
    const group = groups.find((each) => each.name === name);
    if (group === undefined) continue;
    const measured = ratioOf(find(group, ours).samples, find(group, theirs).samples, ratio.of);
    const outcome = measured === undefined ? 'not measured' : isMet(measured.median) ? 'met' : '**missed**';
    const target = `${words} ${limit} ${ratio.unit} ${contestants[theirs].title}`;
    const value = measured === undefined ? ABSENT : withSpread(measured);
    rows.push([group.title, contestants[ours].title, target, value, outcome]);
  }
  return rows.length === 0 ? 'None for what was measured.' : table(['', '', 'target', 'measured', ''], rows);
}

/** The contestants that are not in the tables, each with the reason. */
function failureList({ groups }) {
  const reasons = new Map();
  for (const { title, entries } of groups) {
    for (const { contestant, failure } of entries) {
      if (failure === undefined) continue;
      const key = `${contestants[contestant].title}: ${failure}`;
      reasons.set(key, [...(reasons.get(key) ?? []), title]);
    }
  }
  return [...reasons].map(([reason, titles]) => `- ${reason} (${titles.join('; ')})`).join('\n');
}

/** Puts the report into docs/performance.md and the targets into CONTRIBUTING.md, and the plot beside the report. */
export function writeDocuments(measured) {
  writeBetween('docs/performance.md', 'bench', report(measured));
  writeBetween('CONTRIBUTING.md', 'targets', `${targetTable(measured)}\n`);
  writeFileSync(new URL('../docs/performance.svg', import.meta.url), plot(measured));
}

/** Replaces what stands between two markers of a document. */
function writeBetween(document, name, content) {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const file = new URL(`../${document}`, import.meta.url);
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${document} lacks ${begin} … ${end}`);
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n\n${content}\n${text.slice(to)}`);
}
