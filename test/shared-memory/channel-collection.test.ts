/** Garbage collection of channels that were not closed, and of memory that was lent. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** Runs a script in a process of its own, and returns its output. */
function output(script: string): string {
  const program = `
    import { pair, shareMemory } from '${new URL('../../../dist/index.mjs', import.meta.url)}';
    import { readFileSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    const ends = () => Promise.all(pair().map((socket) => shareMemory(socket, { bytes: 4096 })));
    const mapped = () => readFileSync('/proc/self/maps', 'utf8').match(/memfd:seqpacket/g)?.length ?? 0;
    const warnings = [];
    process.on('warning', ({ code }) => warnings.push(code));
    /** Collects until a condition holds, and for some time at least. */
    const collect = async (done) => {
      for (let i = 0; i < 300 && (i < 5 || !done()); i++) { gc(); await sleep(5); }
    };
    const collected = () => warnings.length;
    ${script}`;
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    ['--expose-gc', '--no-warnings', '--input-type=module', '-e', program],
    { encoding: 'utf8' },
  );
  assert.equal(signal ?? status, 0, stderr);
  return stdout;
}

test('borrowed memory stays readable after its channel was collected', () => {
  const out = output(`
    const kept = await (async () => {
      const [a, b] = await ends();
      globalThis.other = a;
      a.trySend('borrowed');
      const { data } = await b.borrow();
      return data.subarray(3);
    })();
    await collect(() => collected() === 1);
    console.log(warnings.join(), mapped() > 0, String(kept));
    other.close();
  `);
  assert.equal(out, 'SEQPACKET_DESCRIPTOR_COLLECTED true rowed\n');
});

test('memory is unmapped after its channel and the last view were collected', () => {
  const out = output(`
    let kept = await (async () => {
      const [a, b] = await ends();
      a.trySend('borrowed');
      return [await b.borrow(), a.lease(10)];
    })();
    await collect(() => true);
    console.log(collected(), mapped() > 0, kept.map(({ data }) => data.length).join());
    kept[1].data.fill('x');
    kept = undefined;
    await collect(() => mapped() === 0);
    console.log(mapped());
  `);
  const [first, last] = out.split('\n');
  // A lease and a borrowed message keep the channel itself.
  assert.equal(first, '0 true 8,10');
  assert.equal(last, '0');
});

test('messages that were sent before a channel was collected are received', () => {
  const out = output(`
    const b = await (async () => {
      const [a, b] = await ends();
      a.trySend('one', [0]);
      a.trySend('two');
      return b;
    })();
    await collect(() => collected() === 1);
    const { data, fds } = await b.receiveMessage({ maxFds: 1 });
    fds[0].close();
    console.log(collected(), String(data), String((await b.receiveMessage()).data));
    await b.receiveMessage().catch(({ code }) => console.log(code));
    b.close();
  `);
  assert.equal(out, '1 one two\nEOF\n');
});
