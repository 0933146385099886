import { readFileSync } from 'node:fs';

/** Of the package that this is a part of: the bundle is in its directory dist. */
export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
