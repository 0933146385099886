// What the package wants to reach, as ratios between contestants of one group, measured in the same round.
const SIZE = 64;
const BATCHES = ['seqpacket-batches', 'seqpacket-iterator'];

/** How much time ours takes of theirs; or how many times their rate ours is; or how much memory. */
const TIME = { of: ({ perSecond: ours }, { perSecond: theirs }) => theirs / ours, unit: '× the time of' };
const RATE = { of: ({ perSecond: ours }, { perSecond: theirs }) => ours / theirs, unit: '× the rate of' };
const MEMORY = {
  of: ({ privateBytes: ours }, { privateBytes: theirs }) => ours / theirs,
  unit: '× the memory of',
};

const atMost = (limit, ratio) => ({ limit, ratio, words: 'at most', isMet: (value) => value <= limit });
const atLeast = (limit, ratio) => ({ limit, ratio, words: 'at least', isMet: (value) => value >= limit });

const target = (group, ours, theirs, bound) => ({ group, ours, theirs, ...bound });

export const targets = [
  target(`round-trip-${SIZE}`, 'seqpacket', 'c-epoll', atMost(1.3, TIME)),
  target(`round-trip-${SIZE}`, 'seqpacket', 'net', atLeast(1.5, RATE)),
  target(`round-trip-${SIZE}`, 'seqpacket', 'node-unix-socket', atLeast(2.5, RATE)),
  target(`one-way-${SIZE}`, 'seqpacket', 'c-blocking', atLeast(0.75, RATE)),
  ...BATCHES.flatMap((ours) => [
    target(`one-way-${SIZE}`, ours, 'c-blocking', atLeast(1.15, RATE)),
    target(`one-way-${SIZE}`, ours, 'c-batches', atLeast(0.85, RATE)),
    target(`one-way-${SIZE}`, ours, 'net', atLeast(1.4, RATE)),
  ]),
  target('one-way-65536', 'seqpacket', 'c-blocking', atLeast(0.92, RATE)),
  target('connections', 'seqpacket', 'net', atLeast(1.5, RATE)),
  target('accepts', 'seqpacket', 'net', atLeast(1.5, RATE)),
  target('idle', 'seqpacket', 'net', atMost(0.5, MEMORY)),
  target('busy-poll', 'seqpacket-busy-poll', 'c-blocking', atMost(0.7, TIME)),
];
