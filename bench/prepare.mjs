// What the bench needs besides the package: C programs, peers from npm, Go's program. All of it is made in
// build/bench, which is not part of the package.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiler } from '../scripts/native.mjs';

const directory = fileURLToPath(new URL('../build/bench', import.meta.url));
const sources = fileURLToPath(new URL('c', import.meta.url));
const goSource = fileURLToPath(new URL('peers/peer.go', import.meta.url));

/** Peers from the npm registry, and the versions that are measured. */
const NPM_PEERS = {
  'node-unix-socket': '0.2.7',
  zeromq: '6.8.0',
  synckit: '0.12.3',
  'sync-child-process': '1.1.1',
};

/** A module to make `require` with, that finds the peers. */
export const npmPeers = join(directory, 'peers', 'package.json');

/** The C program. */
export const limit = join(directory, 'limit');

/** Go's program. */
export const goPeer = join(directory, 'go-peer');

/** A directory for socket files, removed when the bench ends. */
export const scratch = mkdtempSync(join(tmpdir(), 'seqpacket-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Does something unless it was done with the same inputs; the reason why that failed, or undefined. */
function step(stamp, inputs, command, args, options) {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, stamp);
  const digest = createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
  if (existsSync(file) && readFileSync(file, 'utf8') === digest) return undefined;
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error?.code === 'ENOENT') return `${command} is not installed`;
  if (status !== 0) return `${command} failed: ${error?.message ?? stderr}`;
  writeFileSync(file, digest);
  return undefined;
}

/** Compiles the C programs. @throws if that fails: without the limit there is nothing to compare with */
export function compileLimit() {
  const files = readdirSync(sources).sort();
  const contents = files.map((name) => readFileSync(join(sources, name), 'utf8'));
  const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror'];
  const units = files.filter((name) => name.endsWith('.c')).map((name) => join(sources, name));
  const args = [...flags, ...units, '-o', limit];
  const failure = step('.limit', [compiler(), args, contents], compiler(), args);
  if (failure !== undefined) throw new Error(failure);
}

/** Compiles Go's program. @returns the reason why not */
export function compileGo() {
  const args = ['build', '-o', goPeer, goSource];
  // The program imports nothing from elsewhere.
  const env = { ...process.env, GO111MODULE: 'off', GOFLAGS: '', GOPROXY: 'off' };
  return step('.go', [args, readFileSync(goSource, 'utf8')], 'go', args, { env });
}

/** Installs the peers from npm. @returns for each that is not there the reason why not */
export function installPeers() {
  const peers = join(directory, 'peers');
  mkdirSync(peers, { recursive: true });
  const reasons = {};
  if (!existsSync(npmPeers)) writeFileSync(npmPeers, JSON.stringify({ private: true }));
  for (const [name, version] of Object.entries(NPM_PEERS)) {
    // One by one, and without scripts: what they would do, build or download, the packages contain already.
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const failure = step(`.peer-${name}`, [version], 'npm', [...args, `${name}@${version}`], { cwd: peers });
    const reason = failure ?? loadingFailure(name);
    if (reason !== undefined) reasons[name] = reason;
  }
  return reasons;
}

function loadingFailure(name) {
  const program = `require('node:module').createRequire(${JSON.stringify(npmPeers)})(${JSON.stringify(name)})`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  return status === 0 ? undefined : `cannot be loaded: ${stderr.trim().split('\n').at(-1)}`;
}

/** Whether a program is there. @returns the reason why not */
export function missing(program, args = ['--version']) {
  const { status, error } = spawnSync(program, args, { stdio: 'ignore' });
  return error === undefined && status === 0 ? undefined : `${program} is not installed`;
}
