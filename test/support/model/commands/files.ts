import { unlinkSync, writeFileSync } from 'node:fs';
import { path } from '../arguments/subjects.js';
import { command } from '../command.js';
import { isAbstract, PLAIN_FILE } from '../expected/kernel.js';
import { hasDirectory } from '../real/files.js';

export const removeFile = command(
  'a file is removed',
  1,
  { path },
  async (world, { path }) => {
    unlinkSync(path);
    world.kernel.names.delete(path);
  },
  (world, { path }) => !isAbstract(path) && world.kernel.names.has(path),
);

export const placeFile = command(
  'a file is in the way',
  1,
  { path },
  async (world, { path }) => {
    writeFileSync(path, '');
    world.kernel.names.set(path, PLAIN_FILE);
  },
  (world, { path }) => !isAbstract(path) && hasDirectory(path) && !world.kernel.names.has(path),
);
