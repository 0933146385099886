// A plot of ratios to C: bars, by hand, readable on light and on dark pages.
import { contestants } from './contestants.mjs';
import { ratioOf } from './statistics.mjs';

const WIDTH = 820;
const LABEL_WIDTH = 260;
const VALUE_WIDTH = 60;
const ROW = 20;
const PANEL_HEAD = 44;

const time = ({ perSecond: ours }, { perSecond: theirs }) => theirs / ours;
const rate = ({ perSecond: ours }, { perSecond: theirs }) => ours / theirs;
const memory = ({ privateBytes: ours }, { privateBytes: theirs }) => ours / theirs;

const PANELS = [
  { group: 'round-trip-64', to: 'c-epoll', ratio: time, title: 'Round trip, 64 B: time (less is better)' },
  {
    group: 'one-way-64',
    to: 'c-blocking',
    ratio: rate,
    title: 'One way, 64 B: messages per second (more is better)',
  },
  {
    group: 'one-way-65536',
    to: 'c-blocking',
    ratio: rate,
    title: 'One way, 64 KiB: bytes per second (more is better)',
  },
  { group: 'connections', to: 'c', ratio: rate, title: 'Connections per second (more is better)' },
  { group: 'descriptors', to: 'c', ratio: rate, title: 'Descriptors passed per second (more is better)' },
  { group: 'idle', to: 'net', ratio: memory, title: 'Memory of an idle connection (less is better)' },
];

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .ours { fill: #1f883d; }
  .limit { fill: #8c959f; }
  .peer { fill: #54aeff; }
  .one { stroke: #24292f; stroke-dasharray: 3 3; stroke-opacity: 0.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .ours { fill: #3fb950; }
    .limit { fill: #6e7681; }
    .peer { fill: #388bfd; }
    .one { stroke: #e6edf3; }
  }
`;

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const plain = (title) => title.replaceAll('*', '');

/** @returns the SVG, with a panel for each group that was measured */
export function plot({ groups, machine }) {
  const parts = [];
  let top = 0;
  for (const panel of PANELS) {
    const group = groups.find(({ name }) => name === panel.group);
    const bars = group === undefined ? [] : barsOf(group, panel);
    if (bars.length === 0) continue;
    parts.push(drawn(panel, bars, top));
    top += PANEL_HEAD + bars.length * ROW;
  }
  const caption = `${machine.cpu}, ${machine.kernel}, ${machine.node}`;
  const height = top + 24;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>seqpacket and its peers, compared with C</title>`,
    `<style>${STYLE}</style>`,
    ...parts,
    `<text x="0" y="${height - 8}">${escaped(caption)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function barsOf({ entries }, { to, ratio }) {
  const reference = entries.find(({ contestant }) => contestant === to);
  const bars = [];
  for (const { contestant, samples } of entries) {
    const compared = ratioOf(samples, reference.samples, ratio);
    if (compared === undefined) continue;
    const kind = contestant.startsWith('seqpacket')
      ? 'ours'
      : /^c(-(?!h)|$)/.test(contestant)
        ? 'limit'
        : 'peer';
    bars.push({ title: plain(contestants[contestant].title), kind, ...compared });
  }
  return bars;
}

function drawn({ title, to }, bars, top) {
  const most = Math.max(1, ...bars.map(({ median }) => median));
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most;
  const first = top + PANEL_HEAD - 14;
  const one = (LABEL_WIDTH + scale).toFixed(1);
  const lines = [
    `<line class="one" x1="${one}" x2="${one}" y1="${first}" y2="${first + bars.length * ROW - 2}"/>`,
    `<text class="title" x="0" y="${top + 20}">${escaped(`${title}; 1 is ${plain(contestants[to].title)}`)}</text>`,
  ];
  for (const [index, { title: name, kind, median }] of bars.entries()) {
    const y = first + index * ROW;
    const width = Math.max(1, median * scale).toFixed(1);
    const end = (LABEL_WIDTH + median * scale + 6).toFixed(1);
    lines.push(
      `<text x="${LABEL_WIDTH - 8}" y="${y + 13}" text-anchor="end">${escaped(name)}</text>`,
      `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y + 2}" width="${width}" height="${ROW - 6}" rx="2"/>`,
      `<text x="${end}" y="${y + 13}">${median.toFixed(2)}</text>`,
    );
  }
  return lines.join('\n');
}
