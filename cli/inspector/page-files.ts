/** The files of the page, which contain no data. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { codeOf } from '../process/failure.js';

/** The path is relative to the bundle in `dist/`. */
export const PAGE_DIRECTORY = fileURLToPath(new URL('./inspector/', import.meta.url));

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
};

/** No directories, no hidden files, no escapes. */
const PATH = /^\/([a-z0-9][a-z0-9-]*\.([a-z]+))$/;

export interface PageFile {
  type: string;
  contents: Buffer;
}

/** Undefined if there is no such file. */
export async function readPageFile(directory: string, path: string): Promise<PageFile | undefined> {
  const [, name, extension = ''] = PATH.exec(path === '/' ? '/index.html' : path) ?? [];
  const type = TYPES[extension];
  if (name === undefined || type === undefined) return undefined;
  try {
    return { type, contents: await readFile(`${directory}/${name}`) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
