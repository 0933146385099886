import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** A fresh directory that is removed after the test that asks for it. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'seqpacket-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A path for a socket file in a fresh directory. */
export function scratchPath(name = 'socket'): string {
  return join(scratchDirectory(), name);
}

/** Waits until there is such a file. */
export async function exists(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
}
