// What the package wants to reach, as ratios between contestants of one group, measured in the same round.
const SIZE = 64;

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
  target(`round-trip-${SIZE}`, 'seqpacket', 'floor-promises', atMost(1.12, TIME)),
  target(`round-trip-${SIZE}`, 'seqpacket', 'net', atLeast(1.3, RATE)),
  target(`one-way-${SIZE}`, 'seqpacket', 'floor-promises', atLeast(0.85, RATE)),
  target(`one-way-${SIZE}`, 'seqpacket-batch', 'c-batches', atLeast(0.85, RATE)),
  target(`one-way-${SIZE}`, 'seqpacket-batches', 'c-batches', atLeast(0.75, RATE)),
  ...[65_536, 204_800].map((size) =>
    target(`one-way-${size}`, 'seqpacket', 'c-blocking', atLeast(0.8, RATE)),
  ),
  ...[65_536, 204_800].map((size) =>
    target(`one-way-${size}`, 'seqpacket-iterator', 'c-blocking', atLeast(0.6, RATE)),
  ),
  target('descriptors', 'seqpacket', 'c', atLeast(0.55, RATE)),
  target('connections', 'seqpacket', 'c', atLeast(0.4, RATE)),
  target('idle', 'seqpacket-receive', 'net', atMost(0.36, MEMORY)),
  target('blocking-round-trip', 'seqpacket-blocking', 'c-blocking', atMost(1.35, TIME)),
  target('blocking-round-trip', 'seqpacket-blocking', 'seqpacket', atLeast(2, RATE)),
  target('blocking-round-trip', 'seqpacket-blocking', 'net', atLeast(2, RATE)),
  target('blocking-round-trip', 'seqpacket-blocking', 'synckit', atLeast(3, RATE)),
  target('blocking-round-trip', 'seqpacket-blocking', 'sync-child-process', atLeast(7, RATE)),
  target('blocking-one-way', 'seqpacket-blocking', 'c-blocking', atLeast(0.75, RATE)),
  ...[
    [2, 4],
    [1, 3],
  ].map(([cpus, limit]) =>
    target(`shared-memory-64-${cpus}`, 'shared-batches', 'c-blocking', atLeast(limit, RATE)),
  ),
  target('shared-memory-64-1', 'shared', 'c-blocking', atLeast(1.2, RATE)),
  target('shared-memory-64-1', 'shared-batches', 'net-large-queue', atLeast(2, RATE)),
  target('shared-memory-65536-2', 'shared', 'c-blocking', atLeast(1.2, RATE)),
  target('shared-memory-65536-1', 'shared', 'c-blocking', atLeast(0.8, RATE)),
  target('shared-memory-1048576-1', 'shared-lent', 'c-blocking', atLeast(10, RATE)),
  target('shared-round-trip-64-2', 'shared-busy-poll', 'seqpacket-busy-poll', atMost(0.6, TIME)),
  target('busy-poll', 'seqpacket-busy-poll', 'c-blocking', atMost(0.7, TIME)),
];
