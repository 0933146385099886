// The package of the bridge in a fresh project: what npm packs, and the quick start of its README.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, tarball, temporaryDirectory } from './packed-package.mjs';

const source = join(root, 'packages/bridge');
const directory = join(root, 'build/packed-bridge');
const npm = (args, cwd) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });

function packBridge() {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  npm(['pack', '--pack-destination', directory], source);
  return join(directory, readdirSync(directory)[0]);
}

const library = tarball();
const bridge = packBridge();
const files = execFileSync('tar', ['-tzf', bridge], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .map((name) => name.replace('package/', ''));

test('there is what belongs there, and nothing else', () => {
  const expected = /^(dist\/[\w-]+\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/;
  assert.deepEqual(
    files.filter((name) => !expected.test(name)),
    [],
  );
  const modules = (names, ending) =>
    names
      .filter((name) => name.endsWith(ending))
      .map((name) => name.slice(0, -ending.length))
      .sort();
  const compiled = files.map((name) => name.replace(/^dist\//, ''));
  assert.deepEqual(modules(compiled, '.js'), modules(readdirSync(join(source, 'src')), '.ts'));
});

test('the package of the library has no part of it', () => {
  const names = execFileSync('tar', ['-tzf', library], { encoding: 'utf8' });
  assert.doesNotMatch(names, /bridge|packages/);
});

const isMissing = spawnSync('nats-server', ['--version']).status !== 0;

test('the quick start runs in a fresh project', { skip: isMissing && 'not installed: nats-server' }, () => {
  const place = temporaryDirectory();
  writeFileSync(join(place, 'package.json'), JSON.stringify({ private: true }));
  npm(['install', '--ignore-scripts', library, bridge], place);
  const readme = readFileSync(join(source, 'README.md'), 'utf8');
  // A free port and addresses of its own: the rest is what the README says.
  const port = String(20_000 + (process.pid % 20_000));
  const here = (text) =>
    text
      .replaceAll('/tmp/', `${place}/`)
      .replace('nats-server --addr 127.0.0.1', `nats-server --addr 127.0.0.1 --port ${port}`)
      .replace(/^(seqpacket-bridge .*?) &$/gm, `$1 --server nats://127.0.0.1:${port} &`);
  for (const [, name, code] of readme.matchAll(/^```js\n\/\/ (\S+\.mjs)\n(.*?)^```$/gms)) {
    writeFileSync(join(place, name), here(code));
  }
  const scripts = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, code]) => code);
  assert.equal(scripts[0], 'npm install seqpacket seqpacket-bridge\n');
  const { stdout, stderr, status } = spawnSync('bash', ['-c', here(scripts[1])], {
    cwd: place,
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.match(stdout, /^Hello Ada$/m, stderr);
  assert.match(stdout, /opened: pid/);
  // All programs have ended: otherwise their output would still be open, and the timeout would have ended the shell.
  assert.equal(status, 0, stderr);
});

test('its types are found', { skip: isMissing && 'not installed: nats-server' }, () => {
  const place = temporaryDirectory();
  writeFileSync(join(place, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  npm(['install', '--ignore-scripts', library, bridge], place);
  writeFileSync(
    join(place, 'program.ts'),
    `import { type Bridge, joinOverNats, type LogEvent, serveOverNats } from 'seqpacket-bridge';
const log = (event: LogEvent): void => console.log(event.event);
const bridge: Bridge = await serveOverNats({ subject: 'a', address: '/b', queue: 'c', log });
await joinOverNats({ subject: 'a', address: '/b', mode: 0o600, nats: { servers: 'd' } });
await bridge.drain();
// @ts-expect-error
await serveOverNats({ subject: 'a' });
`,
  );
  const options = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    strict: true,
  };
  const types = {
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    skipLibCheck: true,
    noEmit: true,
  };
  writeFileSync(
    join(place, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...options, ...types }, include: ['program.ts'] }),
  );
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', place], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});
