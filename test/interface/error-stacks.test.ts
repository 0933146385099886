/** The stack of an error begins at the line of the program that called the library. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { buildSync } from 'esbuild';
import { connect, listen, pair, SeqpacketSocket } from 'seqpacket';
import { scratchDirectory } from '../support/scratch.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What a call throws, or rejects with. */
async function errorOf(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  assert.fail('it did not fail');
}

/** The frames of a stack, without the header. */
function frames(error: Error): string[] {
  return error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? [];
}

const closed = new SeqpacketSocket();

const failures: Record<string, () => unknown> = {
  'a wrong argument': () => connect(42 as unknown as string),
  'a wrong value': () => connect('a\0b'),
  'a system call that throws': () => listen('/nonexistent/directory/socket'),
  'a system call that rejects': () => connect('/nonexistent/directory/socket'),
  'a socket that is not open': () => closed.send(Buffer.from('x')),
};

for (const [what, call] of Object.entries(failures)) {
  test(`${what}: the first frame is the caller's`, async () => {
    const limit = Error.stackTraceLimit;
    const error = await errorOf(call);
    assert.equal(Error.stackTraceLimit, limit);
    const [first] = frames(error);
    assert.match(first ?? '', /error-stacks\.test\.js/, error.stack);
    assert.ok(!error.stack?.includes('/dist/'), error.stack);
    assert.ok(error.stack?.startsWith(`${error}\n`), error.stack);
    assert.ok(frames(error).length <= limit);
    assert.ok(inspect(error).includes(first?.trim() ?? ''), inspect(error));
    assert.ok(!Object.keys(error).includes('stack'), 'as with any other error');
  });
}

test('an error that is made from the event loop has a stack, too', async () => {
  const [here, there] = pair();
  const received = here.receiveMessage();
  setImmediate(() => there.close());
  const error = await errorOf(() => received);
  assert.notEqual(frames(error).length, 0);
  here.close();
});

test('after an error that is made from the event loop, the first frame is the caller again', async () => {
  const limit = Error.stackTraceLimit;
  const [here, there] = pair();
  const received = here.receiveMessage();
  setImmediate(() => there.close());
  const fromEventLoop = await errorOf(() => received);
  assert.equal(Error.stackTraceLimit, limit);
  assert.ok(frames(fromEventLoop).length < 3, 'each frame costs microseconds');
  const [first] = frames(await errorOf(() => here.connect(42 as unknown as string)));
  assert.match(first ?? '', /error-stacks\.test\.js/);
  here.close();
});

test('the stack can be replaced, as that of any other error', async () => {
  const error = await errorOf(() => connect(42 as unknown as string));
  error.stack = 'another';
  assert.equal(error.stack, 'another');
});

test('without recorded stacks an error has none', async () => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    assert.deepEqual(frames(await errorOf(() => connect(42 as unknown as string))), []);
  } finally {
    Error.stackTraceLimit = limit;
  }
});

test('in a bundle, in which all is one file, the caller is on the stack', () => {
  const directory = scratchDirectory();
  const program = join(directory, 'program.mjs');
  writeFileSync(
    program,
    `import { connect } from ${JSON.stringify(`${root}dist/index.js`)};
     function theCaller() { connect(42); }
     try { theCaller(); } catch (error) { console.log(error.stack); }`,
  );
  const outfile = join(directory, 'bundle.cjs');
  buildSync({ entryPoints: [program], outfile, bundle: true, platform: 'node', format: 'cjs' });
  const { stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8' });
  assert.match(stdout, /at theCaller /, stderr);
});

test('an uncaught error shows the line of the program, and none of the library', () => {
  const program = join(scratchDirectory(), 'program.cjs');
  writeFileSync(program, `require(${JSON.stringify(`${root}dist/index.js`)}).connect(42);\n`);
  const { status, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /TypeError: The "path" argument .*\n {4}at Object\.<anonymous> \(.*program\.cjs:1:/);
  assert.ok(stderr.length < 2000, stderr);
});
