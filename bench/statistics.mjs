/** The median, with the least and the greatest. Not-numbers, for what could not be measured, stay so. */
export function spreadOf(values) {
  const sorted = values.toSorted?.((a, b) => a - b) ?? [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { median, least: sorted[0], greatest: sorted.at(-1) };
}

/**
 * The ratio of two contestants, taken round by round, since what disturbs one disturbs its neighbour likewise.
 *
 * @returns undefined if there is no round in which both were measured
 */
export function ratioOf(samples, others, ratio) {
  const values = [];
  for (const [round, sample] of samples.entries()) {
    const other = others[round];
    if (sample !== undefined && other !== undefined) values.push(ratio(sample, other));
  }
  return values.length === 0 ? undefined : spreadOf(values);
}
