/** The runtimes in the README are those that the matrix runs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

test('the support table of the README is that of the matrix', async () => {
  const matrix = `${root}test-install/runtimes.mjs`;
  const { table } = (await import(matrix)) as { table(): string };
  const readme = readFileSync(`${root}README.md`, 'utf8');
  const shown = readme.match(/^\| runtime \|.*\n(\|.*\n)+/m);
  assert.equal(shown?.[0].trimEnd(), table());
});
