import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { abstractName } from '../../peers.js';
import { scratchDirectory } from '../../scratch.js';

/** The files whose descriptors are passed. */
export const FILES = 4;

const directory = scratchDirectory();
export const files = Array.from({ length: FILES }, (_, index) => join(directory, `file-${index}`));
for (const file of files) writeFileSync(file, '');
export const inodes = files.map((file) => statSync(file).ino);

export const paths = [
  join(directory, 'a'),
  join(directory, 'b'),
  abstractName(),
  join(directory, 'missing', 'c'),
];
export const hasDirectory = (path: string) => path !== paths[3];
