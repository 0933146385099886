/** Peers that were written from docs/shared-memory.md, in C and in Python: examples/shared-memory. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pairForChild, type SharedChannel, shareMemory } from 'seqpacket';
import { compiled } from '../support/c-programs.js';
import { missing, unsanitizedEnvironment } from '../support/programs.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** More of them in .ci/run. */
const MESSAGES = Number(process.env['SEQPACKET_PEER_MESSAGES'] ?? 3_000);

const PEERS: Readonly<Record<string, { skip: string | false; command: () => string[] }>> = {
  C: { skip: missing('cc'), command: () => [compiled('test/support/shared-memory/peer.c')] },
  Python: {
    skip: missing('python3'),
    command: () => ['python3', `${root}test/support/shared-memory/peer.py`],
  },
};

/** The generator of the peers. */
class Messages {
  constructor(
    private state: number,
    private readonly longest: number,
  ) {}

  next(): Buffer {
    const length = this.#random() % (this.longest + 1);
    return Buffer.alloc(length, this.#random() & 0xff);
  }

  #random(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    this.state >>>= 0;
    return this.state;
  }
}

for (const [language, { skip, command }] of Object.entries(PEERS)) {
  describe(`a peer in ${language}`, { skip, timeout: 600_000 }, () => {
    async function start(
      t: TestContext,
      bytes: number,
      role: string,
      ...args: readonly number[]
    ): Promise<{ channel: SharedChannel; child: ChildProcess; ended: Promise<unknown[]> }> {
      const [socket, theirs] = pairForChild();
      const [program, ...first] = command() as [string, ...string[]];
      const child = spawn(program, [...first, role, String(bytes), ...args.map(String)], {
        stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
        env: unsanitizedEnvironment(),
      });
      theirs.close();
      t.after(() => child.kill('SIGKILL'));
      const ended = once(child, 'close');
      const channel = await shareMemory(socket, { bytes });
      t.after(() => channel.close());
      return { channel, child, ended };
    }

    for (const bytes of [4096, 1 << 20]) {
      const longest = Math.min(4000, bytes / 2 - 8);

      it(`sends to us, with a ring of ${bytes} bytes`, async (t) => {
        const { channel, ended } = await start(t, bytes, 'produce', MESSAGES, 5);
        const messages = new Messages(5, longest);
        let count = 0;
        for await (const data of channel) {
          assert.ok(data.equals(messages.next()), `message ${count}`);
          count++;
        }
        assert.equal(count, MESSAGES);
        channel.close();
        assert.deepEqual(await ended, [0, null]);
      });

      it(`receives from us, with a ring of ${bytes} bytes`, async (t) => {
        const { channel, ended } = await start(t, bytes, 'consume', MESSAGES, 6);
        const messages = new Messages(6, longest);
        for (let sent = 0; sent < MESSAGES; ) {
          const some = Array.from({ length: Math.min(1 + (sent % 7), MESSAGES - sent) }, () =>
            messages.next(),
          );
          sent +=
            some.length === 1
              ? Number((await channel.send(some[0] as Buffer)) >= 0)
              : await channel.sendMany(some);
        }
        channel.shutdown('send');
        await assert.rejects(channel.receiveMessage(), { code: 'EOF' });
        channel.close();
        assert.deepEqual(await ended, [0, null]);
      });

      it(`returns what we send, with a ring of ${bytes} bytes`, async (t) => {
        const { channel, ended } = await start(t, bytes, 'echo');
        const fd = openSync('/etc/hostname', 'r');
        const text = readFileSync('/etc/hostname', 'utf8');
        const messages = new Messages(7, longest);
        for (let i = 0; i < 500; i++) {
          const sent = i % 5 === 0 ? Buffer.alloc(0) : messages.next();
          const count = i % 3 === 0 ? 1 + (i % 4) : 0;
          await channel.sendWithFds(sent, Array(count).fill(fd));
          const { data, fds } = await channel.receiveMessage({ maxFds: 9 });
          assert.ok(data.equals(sent));
          assert.equal(fds.length, count);
          if (count > 0 && i % 60 === 0)
            assert.equal(readFileSync(`/proc/self/fd/${fds[0]?.fd}`, 'utf8'), text);
          for (const each of fds) each.close();
        }
        channel.shutdown('send');
        await assert.rejects(channel.receiveMessage(), { code: 'EOF' });
        channel.close();
        assert.deepEqual(await ended, [0, null]);
      });
    }

    it('holds at most 253 descriptors', async (t) => {
      const { channel, ended } = await start(t, 65_536, 'echo');
      const sends = Array.from({ length: 20 }, (_, i) => channel.sendWithFds(`${i}`, Array(50).fill(0)));
      for (let i = 0; i < 20; i++) {
        const { data, fds } = await channel.receiveMessage({ maxFds: 50 });
        assert.deepEqual([String(data), fds.length], [`${i}`, 50]);
        for (const each of fds) each.close();
      }
      await Promise.all(sends);
      channel.shutdown('send');
      await assert.rejects(channel.receiveMessage(), { code: 'EOF' });
      channel.close();
      assert.deepEqual(await ended, [0, null]);
    });

    it('is killed in the middle of its messages', async (t) => {
      const { channel, child } = await start(t, 4096, 'produce', 1e9, 8);
      const messages = new Messages(8, 2040);
      let count = 0;
      for await (const data of channel) {
        assert.ok(data.equals(messages.next()), `message ${count}`);
        if (++count === 1000) child.kill('SIGKILL');
      }
      assert.ok(count >= 1000);
    });

    it('that is closed while it sends', async (t) => {
      const { channel, ended } = await start(t, 4096, 'produce', 1e9, 9);
      for (let i = 0; i < 100; i++) await channel.receiveMessage();
      channel.close();
      assert.deepEqual(await ended, [1, null]);
    });
  });
}
