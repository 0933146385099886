// Runs the tests: all but the slow ones, or those whose file names contain one of the arguments.
//
//   node scripts/test.mjs [--slow | --all] [--sanitize] [--thread] [--library] [name …]
//
// --slow: the slow ones only. --all: all but those in a browser.
// --sanitize: AddressSanitizer and UBSan check every process of the tests, without those in a browser and those of the
// bridge. Needs an addon that was built with build.mjs --sanitize.
// --thread: readiness is that of Bun and Deno (src/system/thread-readiness.ts), without the tests of the command, of
// the bridge and of the benchmark.
// --library: without the tests of the command, of the bridge, of the benchmark and of the documentation.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { root, sanitizerEnvironment } from './native.mjs';

const args = process.argv.slice(2);
const sanitize = args.includes('--sanitize');
const thread = args.includes('--thread');
/** They take as long as all others together. */
const SLOW = [
  'bridge/bridge-access',
  'bridge/bridge-cluster',
  'bridge/bridge-command',
  'bridge/bridge-functions',
  'bridge/bridge-guide',
  'bridge/bridge-network',
  'bridge/bridge-slow-reader',
  'browser/',
  'command/cli-bench',
  'command/cli-recording',
  'command/cli-show',
  'command/cli-trace-flood',
  'documentation/documentation-',
  'documentation/hot-restart',
  'inspector/server-files',
  'inspector/server-live',
  'inspector/server-slow-page',
  'project/bench',
  'project/prebuilding',
];

const names = args.filter((arg) => !arg.startsWith('--'));
const onlySlow = args.includes('--slow');
const isShort =
  names.length === 0 &&
  !onlySlow &&
  !sanitize &&
  !thread &&
  !args.includes('--all') &&
  !args.includes('--library');
const isOf = (file, list) => list.some((start) => file.startsWith(start));
const leftOut = [
  ...(isShort ? SLOW : []),
  ...(args.includes('--all') ? ['browser/'] : []),
  ...(thread ? ['command/', 'inspector/', 'browser/', 'bridge/', 'project/bench'] : []),
  ...(args.includes('--library')
    ? ['command/', 'inspector/', 'browser/', 'bridge/', 'project/bench', 'documentation/']
    : []),
  // Chromium and nats-server would be watched, too.
  ...(sanitize ? ['browser/', 'bridge/'] : []),
];

/** In milliseconds for each file. The length of a soak is set by its environment variable. */
const timeout = 300_000 + 1000 * Number(process.env.SEQPACKET_SOAK_SECONDS ?? 0);

/** The compiled test files of a directory, named from it or with its prefix, that are to run. */
function testsOf(directory, compiled, prefix = '') {
  return readdirSync(`${root}/${directory}`, { recursive: true })
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => !isOf(prefix + file, leftOut))
    .filter((file) => !onlySlow || isOf(prefix + file, SLOW))
    .filter((file) => names.length === 0 || names.some((name) => (prefix + file).includes(name)))
    .map((file) => `${compiled}/${file.replace(/ts$/, 'js')}`);
}

const tests = [
  ...testsOf('test', 'build/test'),
  ...testsOf('packages/bridge/test', 'build/bridge', 'bridge/'),
];
if (tests.length === 0) {
  console.error(`No name of a test file contains ${names.join(', ')}`);
  process.exit(1);
}

/**
 * PATH, with the directory of the Python interpreter where `python3` is a version manager's script, which takes longer
 * than most programs of the tests.
 */
function path() {
  const directories = (process.env.PATH ?? '').split(':');
  const script = 'import os, sys; print(os.path.dirname(sys.executable))';
  const python = spawnSync('python3', ['-c', script], { encoding: 'utf8' }).stdout?.trim();
  if (python && !directories.includes(python)) directories.unshift(python);
  return directories.join(':');
}

// The tests use no TLS, and each of their 500 processes would read that file when it starts.
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;

const { status, signal } = spawnSync(
  process.execPath,
  [
    '--test',
    '--test-reporter=spec',
    // Tests wait more than they compute, except under the sanitizers.
    `--test-concurrency=${sanitize ? 2 : 3}`,
    `--test-timeout=${timeout}`,
    '--expose-gc',
    // Limits the young generation, which grows in newer versions of Node.js and would look like a leak.
    '--max-semi-space-size=4',
    ...(thread ? ['--import', './build/test/support/thread-readiness.js'] : []),
    ...tests,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...environment,
      PATH: path(),
      ...(thread ? { SEQPACKET_READINESS: 'thread' } : {}),
      ...(sanitize ? sanitizerEnvironment() : {}),
    },
  },
);
if (isShort) console.log('The slow tests were not run: npm run test:slow');
if (signal !== null) console.error(`The tests were ended by ${signal}`);
process.exit(status ?? 1);
