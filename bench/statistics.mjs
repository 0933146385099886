/** The median, with the least and the greatest. */
export function spreadOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { median, least: sorted[0], greatest: sorted.at(-1) };
}

/** The spread of a figure over the rounds; undefined if it was never measured. */
export function figureOf(samples, figure) {
  const measured = undisturbed(samples.filter(Boolean).map((sample) => [sample]));
  return measured.length === 0 ? undefined : spreadOf(measured.map(([sample]) => figure(sample)));
}

/**
 * The spread of the ratio of two contestants, taken round by round: what slows one down slows its neighbour too.
 *
 * @returns undefined if there is no round in which both were measured
 */
export function ratioOf(samples, others, ratio) {
  const pairs = [];
  for (const [round, sample] of samples.entries()) {
    if (sample && others[round]) pairs.push([sample, others[round]]);
  }
  return pairs.length === 0 ? undefined : spreadOf(undisturbed(pairs).map((pair) => ratio(...pair)));
}

/** Without runs whose CPU another process used, unless all are such. */
function undisturbed(tuples) {
  const quiet = tuples.filter((samples) => samples.every(({ disturbed }) => !disturbed));
  return quiet.length > 0 ? quiet : tuples;
}
