import { readFileSync } from 'node:fs';

/** The version of the package; the path is relative to the bundle in `dist/`. */
export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
