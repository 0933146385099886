/** The back end: the compiled C layer, found and loaded. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unsupported } from '../errors';
import type { OperatingSystem } from './operating-system';
import { type Addon, runsWithoutLibuv, withThread } from './thread-readiness';

/** Processors with the Linux ABI of linux.ts and with a prebuilt binary. */
const PROCESSORS = ['x64', 'arm64'];

const BUILD = 'node node_modules/seqpacket/scripts/build-native.mjs';

/** @throws an error that says what to do, if there is no binary for this machine or it cannot be loaded */
export function loadAddon(): OperatingSystem {
  if (!PROCESSORS.includes(process.arch)) {
    throw unsupported(
      `seqpacket works on the processors ${PROCESSORS.join(' and ')}, not on ${process.arch}: its numbers of the Linux ABI are those that these two share`,
    );
  }
  if (typeof __dirname === 'undefined') {
    throw unloadable('it was bundled as an ES module, which does not know its place', BUNDLED);
  }
  const files = places().map((place) => join(__dirname, place));
  const file = files.find((each) => existsSync(each));
  if (file === undefined) {
    const tried = files.join(', ');
    throw unloadable(`there is none of ${tried}`, `Build it: ${BUILD}\n${BUNDLED}`);
  }
  try {
    // Not by `require`, whose cache would share one instance of the C layer among copies of this library in one
    // thread: an instance reports readiness to one function, and fills in one control block.
    const module = { exports: {} };
    process.dlopen(module, file);
    const addon = module.exports as Addon;
    return runsWithoutLibuv() ? withThread(addon) : addon;
  } catch (error) {
    throw unloadable(`${file}: ${(error as Error).message}`, remedy(error), error);
  }
}

/** Where the binary may be, relative to this file, or to the bundle that contains this file. */
function places(): string[] {
  const prebuilt = `prebuilds/linux-${process.arch}.node`;
  if (!__filename.endsWith(join('system', 'addon.js'))) return [`../${prebuilt}`, prebuilt];
  // A binary that was built on this machine comes first. In another package that directory has another purpose.
  const isOwn = isOwnPackage(join(__dirname, '../..'));
  return isOwn ? ['../../build/seqpacket.node', `../../${prebuilt}`] : [`../../${prebuilt}`];
}

function isOwnPackage(directory: string): boolean {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    return (manifest as { name?: unknown } | null)?.name === 'seqpacket';
  } catch {
    // There is no such file, or it cannot be read: then it is not known to be the own one.
    return false;
  }
}

const BUNDLED =
  'In a bundle: keep seqpacket external, or bundle it as CommonJS and copy its directory "prebuilds" beside the bundle.';

function remedy(error: unknown): string {
  switch ((error as { code?: unknown }).code) {
    case 'ERR_DLOPEN_DISABLED':
      return 'Node.js with --permission loads addons only with --allow-addons.';
    case 'ERR_ACCESS_DENIED':
      return 'Node.js with --permission needs --allow-addons, and --allow-fs-read for this package.';
    default:
      return `Build it for this machine: ${BUILD}`;
  }
}

function unloadable(what: string, remedy: string, cause?: unknown): Error {
  const error = new Error(`seqpacket cannot load its binary: ${what}\n${remedy}`, { cause });
  return Object.assign(error, { code: 'ERR_DLOPEN_FAILED' });
}
