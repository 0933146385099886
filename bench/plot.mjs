// A plot of ratios to C: bars, by hand, readable on light and on dark pages, and narrow enough for a phone.
import { contestants } from './contestants.mjs';
import { ratioOf } from './statistics.mjs';

const WIDTH = 600;
/** Names end here, and bars begin. */
const BARS = 316;
/** Bars end here at the latest. Values stand to the right of it, so that no line crosses them. */
const VALUES = 544;
const ROW = 24;
const PANEL_HEAD = 62;
const LEGEND_HEIGHT = 52;
const CAPTION_HEIGHT = 48;

const time = ({ perSecond: ours }, { perSecond: theirs }) => theirs / ours;
const rate = ({ perSecond: ours }, { perSecond: theirs }) => ours / theirs;
const memory = ({ privateBytes: ours }, { privateBytes: theirs }) => ours / theirs;

const LESS = { isLessBetter: true, words: 'less is better' };
const MORE = { isLessBetter: false, words: 'more is better' };

const PANELS = [
  { group: 'round-trip-64', to: 'c-epoll', ratio: time, title: 'Round trip, 64 B: time', ...LESS },
  { group: 'one-way-64', to: 'c-blocking', ratio: rate, title: 'One way, 64 B: messages/s', ...MORE },
  { group: 'one-way-65536', to: 'c-blocking', ratio: rate, title: 'One way, 64 KiB: messages/s', ...MORE },
  {
    group: 'blocking-round-trip',
    to: 'c-blocking',
    ratio: time,
    title: 'Round trip, blocking calls: time',
    ...LESS,
  },
  {
    group: 'blocking-one-way',
    to: 'c-blocking',
    ratio: rate,
    title: 'One way, blocking calls: messages/s',
    ...MORE,
  },
  {
    group: 'shared-memory-64-1',
    to: 'c-blocking',
    ratio: rate,
    title: 'Shared memory, one way, 64 B: messages/s',
    ...MORE,
  },
  {
    group: 'shared-memory-64-2',
    to: 'c-blocking',
    ratio: rate,
    title: 'The same with a CPU for each process',
    ...MORE,
  },
  {
    group: 'shared-memory-1048576-1',
    to: 'c-blocking',
    ratio: rate,
    title: 'Shared memory, one way, 1 MiB: messages/s',
    ...MORE,
  },
  {
    group: 'shared-round-trip-64-2',
    to: 'c-blocking',
    ratio: time,
    title: 'Shared memory, round trip, two CPUs: time',
    ...LESS,
  },
  { group: 'connections', to: 'c', ratio: rate, title: 'Connections/s', ...MORE },
  { group: 'descriptors', to: 'c', ratio: rate, title: 'Descriptors passed/s', ...MORE },
  { group: 'idle', to: 'net', ratio: memory, title: 'Memory of an idle connection', ...LESS },
];

/** Names that have no room in the plot. */
const SHORT = {
  'c-batches': 'C, batches of 64',
  'seqpacket-batches': 'seqpacket, batches',
  'seqpacket-iterator': 'seqpacket, iterator',
  'seqpacket-receive': 'by receiveMessage',
  'seqpacket-blocking': 'seqpacket, blocking',
  'seqpacket-blocking-batches': 'blocking, batches',
  'seqpacket-busy-poll': 'seqpacket, busyPoll',
  shared: 'memory, one by one',
  'shared-receive': 'memory, receiveMessage',
  'shared-batches': 'memory, batches',
  'shared-batch': 'memory, one batch',
  'shared-lent': 'memory, lent',
  'shared-busy-poll': 'memory, busyPoll',
  fs: 'fs.readSync/writeSync',
  net: 'node:net',
  'net-large-queue': 'node:net, 1 MiB queue',
};

const KINDS = { ours: 'seqpacket', limit: 'C: the limit', peer: 'others' };

const STYLE = `
  text { font: 14px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .own { font-weight: 600; }
  .note { font-size: 12px; fill: #57606a; }
  .ours { fill: #1f883d; }
  .limit { fill: #8c959f; }
  .peer { fill: #54aeff; }
  .one { stroke: #24292f; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .note { fill: #9198a1; }
    .ours { fill: #3fb950; }
    .limit { fill: #6e7681; }
    .peer { fill: #388bfd; }
    .one { stroke: #e6edf3; }
  }
`;

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const nameOf = (contestant) => SHORT[contestant] ?? contestants[contestant].title.replaceAll('*', '');

/** @returns the SVG, with a panel for each group that was measured */
export function plot({ groups, machine }) {
  const parts = [legend()];
  let top = LEGEND_HEIGHT;
  for (const panel of PANELS) {
    const group = groups.find(({ name }) => name === panel.group);
    const bars = group === undefined ? [] : barsOf(group, panel);
    if (bars.length === 0) continue;
    parts.push(drawn(panel, bars, top));
    top += PANEL_HEAD + bars.length * ROW;
  }
  const height = top + CAPTION_HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>seqpacket and its peers, compared with C</title>`,
    `<style>${STYLE}</style>`,
    ...parts,
    `<text class="note" x="0" y="${height - 24}">${escaped(machine.cpu)}</text>`,
    `<text class="note" x="0" y="${height - 8}">${escaped(`${machine.kernel}, ${machine.node}`)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function legend() {
  const parts = [];
  let x = 0;
  for (const [kind, words] of Object.entries(KINDS)) {
    parts.push(
      `<rect class="${kind}" x="${x}" y="4" width="14" height="14" rx="2"/>`,
      `<text x="${x + 20}" y="16">${words}</text>`,
    );
    x += 118;
  }
  parts.push(
    '<line class="one" x1="7" x2="7" y1="26" y2="44"/>',
    '<text x="20" y="40">1: the bar that each panel is compared with</text>',
  );
  return parts.join('\n');
}

/** Our own first, then the others from the best to the worst. */
function barsOf({ entries }, { to, ratio, isLessBetter }) {
  const reference = entries.find(({ contestant }) => contestant === to);
  const bars = [];
  for (const { contestant, samples } of entries) {
    const compared = ratioOf(samples, reference.samples, ratio);
    if (compared === undefined) continue;
    const kind = /^(seqpacket|shared)/.test(contestant)
      ? 'ours'
      : /^c(-(?!h)|$)/.test(contestant)
        ? 'limit'
        : 'peer';
    bars.push({ name: nameOf(contestant), kind, ...compared });
  }
  const sign = isLessBetter ? 1 : -1;
  const isOther = ({ kind }) => Number(kind !== 'ours');
  return bars.sort((a, b) => isOther(a) - isOther(b) || sign * (a.median - b.median));
}

function drawn({ title, to, words }, bars, top) {
  const most = Math.max(1, ...bars.map(({ median }) => median));
  const scale = (VALUES - BARS) / most;
  const first = top + PANEL_HEAD - 12;
  const one = (BARS + scale).toFixed(1);
  const lines = [
    `<text class="title" x="0" y="${top + 22}">${escaped(title)}</text>`,
    `<text class="note" x="0" y="${top + 40}">${escaped(`${words}; 1 is ${nameOf(to)}`)}</text>`,
  ];
  for (const [index, { name, kind, median }] of bars.entries()) {
    const y = first + index * ROW;
    const width = Math.max(1, median * scale).toFixed(1);
    const own = kind === 'ours' ? ' class="own"' : '';
    lines.push(
      `<text${own} x="${BARS - 8}" y="${y + 16}" text-anchor="end">${escaped(name)}</text>`,
      `<rect class="${kind}" x="${BARS}" y="${y + 3}" width="${width}" height="${ROW - 6}" rx="2"/>`,
      `<text${own} x="${WIDTH}" y="${y + 16}" text-anchor="end">${median.toFixed(2)}</text>`,
    );
  }
  lines.push(`<line class="one" x1="${one}" x2="${one}" y1="${first}" y2="${first + bars.length * ROW}"/>`);
  return lines.join('\n');
}
