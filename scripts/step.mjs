// One step of building, which is done only if it was not done with the same inputs before. What is done is said on
// standard error, with a terminal and without.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './native.mjs';

export const contents = (files) => files.map((file) => readFileSync(join(root, file), 'utf8'));

/**
 * @param stamp a file beside what the step makes, so that the two go together; it notes the inputs
 * @param outputs what has to be there besides
 */
export async function step(title, { stamp, inputs, outputs = [] }, work) {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(input).update('\0');
  const digest = hash.digest('hex');
  const file = join(root, stamp);
  const isThere = outputs.every((output) => existsSync(join(root, output)));
  if (isThere && existsSync(file) && readFileSync(file, 'utf8') === digest) return;
  console.error(`${title} …`);
  await work();
  writeFileSync(file, digest);
}
