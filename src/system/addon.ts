/** Finds and loads the compiled C layer. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unsupported } from '../errors';
import type { OperatingSystem } from './operating-system';
import { type Addon, runsWithoutLibuv, withThreadReadiness } from './thread-readiness';

/** The processors that have the constants of linux.ts and a prebuilt binary. */
const PROCESSORS = ['x64', 'arm64'];

const BUILD_COMMAND = 'node node_modules/seqpacket/scripts/build-native.mjs';

/**
 * @throws `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` on another processor; `ERR_DLOPEN_FAILED`, with a remedy in its
 *   message, if the binary is missing or cannot be loaded
 */
export function loadAddon(): OperatingSystem {
  if (!PROCESSORS.includes(process.arch)) {
    throw unsupported(
      `seqpacket works on the processors ${PROCESSORS.join(' and ')}, not on ${process.arch}: it uses the constants of the Linux ABI that these two share`,
    );
  }
  if (typeof __dirname === 'undefined') {
    throw unloadable('a bundle in the ES module format cannot locate it', BUNDLE_REMEDY);
  }
  const files = binaryPaths().map((path) => join(__dirname, path));
  const file = files.find((each) => existsSync(each));
  if (file === undefined) {
    const tried = files.join(', ');
    throw unloadable(`no such file: ${tried}`, `Build it: ${BUILD_COMMAND}\n${BUNDLE_REMEDY}`);
  }
  try {
    // Not `require`: its cache would share one instance of the C layer among several copies of this library in a
    // thread. An instance reports readiness to one function, and fills in one control block.
    const module = { exports: {} };
    process.dlopen(module, file);
    const addon = module.exports as Addon;
    return runsWithoutLibuv() ? withThreadReadiness(addon) : addon;
  } catch (error) {
    throw unloadable(`${file}: ${(error as Error).message}`, remedy(error), error);
  }
}

/** The possible paths of the binary, relative to this file, or to the bundle that contains this file. */
function binaryPaths(): string[] {
  const prebuilt = `prebuilds/linux-${process.arch}.node`;
  if (!__filename.endsWith(join('system', 'addon.js'))) return [`../${prebuilt}`, prebuilt];
  // A binary that was built on this machine comes first. Another package may use `build/` for another purpose.
  const isOwn = isOwnPackage(join(__dirname, '../..'));
  return isOwn ? ['../../build/seqpacket.node', `../../${prebuilt}`] : [`../../${prebuilt}`];
}

function isOwnPackage(directory: string): boolean {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    return (manifest as { name?: unknown } | null)?.name === 'seqpacket';
  } catch {
    // The file is missing or unreadable, so that the package is not known to be this one.
    return false;
  }
}

const BUNDLE_REMEDY =
  'In a bundle: keep seqpacket external, or bundle it as CommonJS and copy its directory "prebuilds" beside the bundle.';

function remedy(error: unknown): string {
  switch ((error as { code?: unknown }).code) {
    case 'ERR_DLOPEN_DISABLED':
      return 'Node.js with --permission loads addons only with --allow-addons.';
    case 'ERR_ACCESS_DENIED':
      return 'Node.js with --permission needs --allow-addons, and --allow-fs-read for this package.';
    default:
      return `Build it for this machine: ${BUILD_COMMAND}`;
  }
}

function unloadable(what: string, remedy: string, cause?: unknown): Error {
  const error = new Error(`seqpacket cannot load its binary: ${what}\n${remedy}`, { cause });
  return Object.assign(error, { code: 'ERR_DLOPEN_FAILED' });
}
