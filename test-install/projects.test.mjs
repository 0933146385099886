// Fresh projects of all kinds, with the package installed as npm packs it.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { executable, isInstalled } from './installed-runtimes.mjs';
import { pathWithoutCompiler, project, root, tarball } from './packed-package.mjs';
import { runtimes } from './runtimes.mjs';
import { commonJs, esm } from './talking-program.mjs';

const withoutCompiler = { ...process.env, PATH: pathWithoutCompiler() };

function node(place, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: place,
    encoding: 'utf8',
    ...options,
  });
  return { status, output: stdout + stderr };
}

const works = { status: 0, output: 'it works\n' };

test('CommonJS and ES modules', () => {
  const place = project({ 'program.cjs': commonJs, 'program.mjs': esm });
  assert.deepEqual(node(place, ['program.cjs'], { env: withoutCompiler }), works);
  assert.deepEqual(node(place, ['program.mjs'], { env: withoutCompiler }), works);
});

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const quickStart = Object.fromEntries(
  [...readme.matchAll(/^```js\n\/\/ (\S+\.mjs)\n(.*?)^```$/gms)].map(([, name, code]) => [name, code]),
);

/** The quick start has to run on these; the matrix installs them (npm run test:matrix). */
const quickStartRuntimes = runtimes.filter((each) => each.quickStart);
const commands = [
  { name: 'this Node.js', command: [process.execPath], isThere: true },
  ...quickStartRuntimes.map((each) => ({
    name: each.name,
    command: [executable(each), ...(each.flags ?? [])],
    isThere: isInstalled(each),
  })),
];

for (const {
  name,
  command: [program, ...args],
  isThere,
} of commands) {
  const missing = !isThere && process.env.CI === undefined;
  test(`the quick start of the README on ${name}`, {
    skip: missing && `${name} is not in build/runtimes`,
  }, async () => {
    const place = project(quickStart);
    const options = { cwd: place, stdio: ['ignore', 'pipe', 'inherit'] };
    rmSync('/tmp/greeter.socket', { force: true });
    const server = spawn(program, [...args, 'server.mjs'], options);
    while (!existsSync('/tmp/greeter.socket')) {
      assert.equal(server.exitCode, null);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const output = execFileSync(program, [...args, 'client.mjs'], { ...options, encoding: 'utf8' });
    assert.equal(output, `Hello Ada, user ${process.getuid()}\n`);
    const closed = once(server, 'close');
    server.kill();
    await closed;
    rmSync('/tmp/greeter.socket', { force: true });
  });
}

const deno = quickStartRuntimes.find((each) => each.name.startsWith('Deno'));

test('Deno needs two permissions, and its own words say so', { skip: !isInstalled(deno) }, () => {
  const place = project({ 'program.mjs': esm });
  const run = (...flags) =>
    spawnSync(executable(deno), ['run', '--no-prompt', ...flags, 'program.mjs'], {
      cwd: place,
      encoding: 'utf8',
    });
  assert.equal(run('--allow-ffi', '--allow-read').stdout, 'it works\n');
  assert.match(run('--allow-read').stderr, /--allow-ffi/);
});

for (const [moduleResolution, module] of [
  ['node16', 'node16'],
  ['bundler', 'esnext'],
]) {
  test(`TypeScript with moduleResolution ${moduleResolution}`, () => {
    const source = `
      import { AbortError, connect, listen, pair, SeqpacketSocket, type Message, type FdSource } from 'seqpacket';
      const [a, b]: [SeqpacketSocket, SeqpacketSocket] = pair();
      const received: Promise<Message> = b.receiveMessage({ maxFds: 1 });
      const source: FdSource = 0;
      export const sent: Promise<number> = a.sendWithFds(new Uint8Array(1), [source]);
      // @ts-expect-error a path is none of these
      connect(42);
      // @ts-expect-error it is there as a type alone, as at run time
      new AbortError(new AbortController().signal);
      export { listen, received };
    `;
    const place = project({ 'program.mts': source, 'program.cts': source });
    cpSync(join(root, 'node_modules/@types'), join(place, 'node_modules/@types'), { recursive: true });
    cpSync(join(root, 'node_modules/undici-types'), join(place, 'node_modules/undici-types'), {
      recursive: true,
    });
    const files = moduleResolution === 'node16' ? ['program.mts', 'program.cts'] : ['program.mts'];
    writeFileSync(
      join(place, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module,
          moduleResolution,
          target: 'es2022',
          lib: ['es2023', 'esnext.disposable'],
          types: ['node'],
          strict: true,
          noEmit: true,
        },
        files,
      }),
    );
    const { status, output } = node(place, [join(root, 'node_modules/typescript/bin/tsc')]);
    assert.equal(status, 0, output);
  });
}

test('a read-only node_modules', () => {
  const place = project({ 'program.cjs': commonJs });
  execFileSync('chmod', ['-R', 'a-w,a+rX', place]);
  // Nothing is read-only to root.
  const nobody = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
  assert.deepEqual(node(place, ['program.cjs'], nobody), works);
  execFileSync('chmod', ['-R', 'u+w', place]);
});

test('the layout of pnpm', () => {
  const place = project({ 'program.cjs': commonJs, 'program.mjs': esm }, {}, (to) => {
    execFileSync('npx', ['--yes', 'pnpm@10.20.0', 'add', '--ignore-scripts', tarball()], {
      cwd: to,
      stdio: 'pipe',
    });
  });
  assert.ok(existsSync(join(place, 'node_modules/.pnpm')));
  assert.deepEqual(node(place, ['program.cjs']), works);
  assert.deepEqual(node(place, ['program.mjs']), works);
});

test('a worker', () => {
  const program = `
    const { Worker } = require('node:worker_threads');
    new Worker('./program.cjs').on('exit', (code) => console.log(code));
  `;
  const place = project({ 'program.cjs': commonJs, 'main.cjs': program });
  assert.deepEqual(node(place, ['main.cjs']), { status: 0, output: 'it works\n0\n' });
});

test('--permission: addons have to be allowed, and what says so is clear', () => {
  const place = project({ 'program.cjs': commonJs });
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const flags = ['--no-warnings', permission, `--allow-fs-read=${place}/*`];
  assert.deepEqual(node(place, [...flags, '--allow-addons', 'program.cjs']), works);
  // Relative paths, too, and with a mode.
  writeFileSync(
    join(place, 'listen.cjs'),
    `const { listen } = require('seqpacket');
    const acceptor = listen('socket', { mode: 0o600 });
    console.log(require('node:fs').statSync('socket').mode.toString(8));
    acceptor.close();
    console.log(require('node:fs').readdirSync('.').includes('socket'));`,
  );
  const writing = [...flags, '--allow-addons', `--allow-fs-write=${place}/*`];
  assert.deepEqual(node(place, [...writing, 'listen.cjs']), { status: 0, output: '140600\nfalse\n' });
  const { status, output } = node(place, [...flags, 'program.cjs']);
  assert.equal(status, 1);
  assert.match(output, /seqpacket cannot load its binary[\s\S]*--allow-addons/);
});

test('without its binary it says how to build one, and the build takes its place', () => {
  const place = project({ 'program.cjs': commonJs });
  const installed = join(place, 'node_modules/seqpacket');
  rmSync(join(installed, `prebuilds/linux-${process.arch}.node`));
  const { status, output } = node(place, ['program.cjs']);
  assert.equal(status, 1);
  const [command] = output.match(/node node_modules\/seqpacket\/scripts\/build-native\.mjs/) ?? [];
  assert.ok(command, output);
  cpSync(join(root, 'node_modules/node-api-headers'), join(place, 'node_modules/node-api-headers'), {
    recursive: true,
  });
  execFileSync('sh', ['-c', command], { cwd: place, stdio: 'pipe' });
  assert.deepEqual(node(place, ['program.cjs']), works);
});

test('the command', { skip: !existsSync(join(root, 'cli')) && 'there is none' }, () => {
  const place = project();
  const { status, stdout } = spawnSync('node_modules/.bin/seqpacket', ['--version'], {
    cwd: place,
    encoding: 'utf8',
    env: withoutCompiler,
  });
  assert.equal(status, 0);
  assert.match(stdout, /\d+\.\d+\.\d+/);
});

test('no project leaves anything behind in the package', () => {
  const place = project({ 'program.cjs': commonJs });
  const list = () => readdirSync(join(place, 'node_modules'), { recursive: true }).sort();
  const before = list();
  mkdirSync(join(place, 'other'));
  node(place, ['program.cjs']);
  assert.deepEqual(list(), before);
});
