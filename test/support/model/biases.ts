/** A factor for the weight of each command whose name matches. */
export type Bias = readonly (readonly [names: RegExp, factor: number])[];

/** The commands that come more often than usual, one bias a run; without them, queues would seldom fill up. */
export const SOCKET_BIASES: readonly Bias[] = [
  [],
  [[/^(send|trySend)/, 8]],
  [[/^(receive|tryReceive)/, 5]],
  [[/^(connect|accept)$/, 12]],
  [[/^(send|trySend|receive|tryReceive|abort|cancel)/, 6]],
  [
    [/^send(Many|Batch)$/, 20],
    [/^receive(Many|Batch)$/, 15],
    [/^pair$/, 3],
  ],
  [[/^(send|shutdown|pair)/, 5]],
  [
    [/Sync$/, 10],
    [/^(send|receive)/, 3],
  ],
  [
    [/^(send|receive|receiveWithFds)$/, 8],
    [/^pair$/, 5],
  ],
];

export const CHANNEL_BIASES: readonly Bias[] = [
  ...SOCKET_BIASES,
  [[/^(lease|borrow|release)/, 8]],
  [
    [/^(send|borrow|release)/, 8],
    [/^pair$/, 3],
  ],
  // Borrowed messages occupy more than half of the ring.
  [
    [/^(send of the longest|borrow)$/, 30],
    [/^(send|receiveMessage|release)$/, 10],
  ],
];
