/** The back end for Node.js: the compiled C layer. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { OperatingSystem } from './os';

export function loadAddon(): OperatingSystem {
  const file = join(__dirname, '..', 'build', 'seqpacket.node');
  return createRequire(__filename)(file) as OperatingSystem;
}
