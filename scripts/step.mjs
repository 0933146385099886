// A step of building, skipped if its inputs have not changed. Each step that runs is reported on standard error.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './native.mjs';

export const contents = (files) => files.map((file) => readFileSync(join(root, file), 'utf8'));

/**
 * @param stamp a file beside the outputs of the step, which records the inputs
 * @param outputs other files that must exist
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
