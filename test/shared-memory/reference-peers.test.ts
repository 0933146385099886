/** Peers that were written from docs/shared-memory.md, in C and in Python: examples/shared-memory. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pairForChild, type SeqpacketSocket, shareMemory } from 'seqpacket';
import { compiled } from '../support/c-programs.js';
import { os } from '../support/internals.js';
import { missing, unsanitizedEnvironment } from '../support/programs.js';
import {
  CAPACITY,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  HEAD,
  HEADER,
  handShake,
  memoryFile,
  type RawPeer,
  rawPeer,
  SEALS,
  TAIL,
  writeRecord,
} from '../support/raw-peer.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** More of them in .ci/run. */
const MESSAGES = Number(process.env['SEQPACKET_PEER_MESSAGES'] ?? 3_000);

const PEERS: Readonly<Record<string, { skip: string | false; command: () => string[] }>> = {
  C: {
    skip: missing('cc'),
    command: () => [compiled('test/support/shared-memory/peer.c', 'examples/shared-memory/channel.h')],
  },
  Python: {
    skip: process.arch === 'x64' ? missing('python3') : 'channel.py is for x86',
    command: () => ['python3', `${root}test/support/shared-memory/peer.py`],
  },
};

/** Bytes that count modulo 251. */
const COUNTING = Buffer.from(Array.from({ length: 251 + 4000 }, (_, i) => i % 251));

/** The generator of the peers: see test/support/shared-memory/peer.py. */
class Messages {
  constructor(
    private state: number,
    private readonly longest: number,
  ) {}

  next(): Buffer {
    const length = this.#random() % (this.longest + 1);
    const first = this.#random() % 251;
    return COUNTING.subarray(first, first + length);
  }

  #random(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    this.state >>>= 0;
    return this.state;
  }
}

const WAKE_UP = Uint8Array.of(1);
const DESCRIPTORS = Uint8Array.of(2);
const END = Uint8Array.of(3);

/** For tests whose failure is that a process waits forever. */
const TIMEOUT = { timeout: 30_000 };

const WRONG: Readonly<Record<string, (peer: RawPeer, socket: SeqpacketSocket) => unknown>> = {
  'a tail that is no multiple of 8': (peer) => writeRecord(peer, 0, 4, 1, 12),
  'a tail beyond the capacity': ({ outgoing }) => Atomics.store(outgoing, TAIL, CAPACITY + 8),
  'a tail behind': ({ outgoing }) => Atomics.store(outgoing, TAIL, -8),
  'a head beyond the tail': (peer) => {
    Atomics.store(peer.incoming, HEAD, 8);
    writeRecord(peer, 0, 4, 1, 16);
  },
  'kind 4': (peer) => writeRecord(peer, 0, 8, 4, 16),
  'a length beyond the tail': (peer) => writeRecord(peer, 0, 9, 1, 16),
  'a length beyond half of the ring': (peer) => writeRecord(peer, 0, CAPACITY / 2 - 7, 1, CAPACITY),
  'a length of 4 GiB, less 1 byte': (peer) => writeRecord(peer, 0, -1, 1, CAPACITY),
  'padding at the start': (peer) => writeRecord(peer, 0, CAPACITY - 8, 3, CAPACITY),
  'a record of descriptors without any': (peer) => writeRecord(peer, 0, 8, 2, 16),
  'a message of descriptors without any': (_, socket) => socket.send(DESCRIPTORS),
  'descriptors with a wake-up': (_, socket) => socket.sendWithFds(WAKE_UP, [0]),
  'more than 253 descriptors': async (_, socket) => {
    await socket.sendWithFds(DESCRIPTORS, Array(253).fill(0));
    await socket.sendWithFds(DESCRIPTORS, [0]);
  },
  'an unknown message': (_, socket) => socket.send(Uint8Array.of(9)),
  'a long message': (_, socket) => socket.send(Buffer.alloc(17, 1)),
};

/** Stops a process, and returns when it is stopped. */
async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP');
  while (!/^State:\tT/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8'))) await setTimeout(1);
}

for (const [language, { skip, command }] of Object.entries(PEERS)) {
  describe(`a peer in ${language}`, { skip, timeout: 600_000 }, () => {
    /** A process of the peer, and the other end of its socket. */
    function spawned(t: TestContext, capacity: number, role: string, ...args: readonly number[]) {
      const [socket, theirs] = pairForChild();
      const [program, ...first] = command() as [string, ...string[]];
      const child = spawn(program, [...first, role, String(capacity), ...args.map(String)], {
        stdio: ['ignore', 'inherit', 'pipe', theirs.fd],
        env: unsanitizedEnvironment(),
      });
      theirs.close();
      t.after(() => child.kill('SIGKILL'));
      t.after(() => socket.close());
      return { socket, child, ended: once(child, 'close'), errors: text(child.stderr as Readable) };
    }

    async function start(t: TestContext, bytes: number, role: string, ...args: readonly number[]) {
      const { socket, ...peer } = spawned(t, bytes, role, ...args);
      return { channel: await shareMemory(socket, { bytes }), ...peer };
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

    it('finds that we were closed while it sends', async (t) => {
      const { channel, ended, errors } = await start(t, 4096, 'produce', 1e9, 9);
      for (let i = 0; i < 100; i++) await channel.receiveMessage();
      channel.close();
      assert.deepEqual(await ended, [1, null]);
      assert.match(await errors, /Broken ?pipe/i);
    });

    it('is killed while it receives', async (t) => {
      const { channel, child } = await start(t, 4096, 'consume', 1e9, 10);
      const messages = new Messages(10, 2040);
      const sends = async () => {
        for (let count = 0; ; count++) {
          await channel.send(messages.next());
          if (count === 1000) child.kill('SIGKILL');
        }
      };
      await assert.rejects(sends(), { code: 'EPIPE' });
    });

    for (const fds of [0, 1]) {
      // It finds that we are gone when it sends the first one back.
      it(`receives what we have sent before we were closed, with ${fds} descriptors`, TIMEOUT, async (t) => {
        const { channel, child, ended, errors } = await start(t, 4096, 'echo');
        await stop(child);
        channel.trySend('first');
        if (fds > 0) await channel.sendWithFds('second', [0]);
        channel.close();
        child.kill('SIGCONT');
        assert.deepEqual(await ended, [1, null]);
        assert.match(await errors, /Broken ?pipe/i);
      });
    }

    it('wakes us before it waits for room itself', TIMEOUT, async (t) => {
      const { socket, child, ended } = spawned(t, 4096, 'echo');
      const channel = await shareMemory(socket, { bytes: 16_384 });
      const message = Buffer.alloc(1000);
      await stop(child);
      for (let i = 0; i < 16; i++) channel.trySend(message);
      const blocked = channel.send(message);
      child.kill('SIGCONT');
      // It can return four, and receives a fifth: less than half of our ring.
      await blocked;
      for (let i = 17; i < 20; i++) await channel.send(message);
      for (let i = 0; i < 20; i++) assert.ok((await channel.receiveMessage()).data.equals(message));
      channel.shutdown('send');
      await assert.rejects(channel.receiveMessage(), { code: 'EOF' });
      channel.close();
      assert.deepEqual(await ended, [0, null]);
    });

    it('accepts further descriptors in a hand-shake', TIMEOUT, async (t) => {
      const { socket, ended } = spawned(t, CAPACITY, 'echo');
      const region = memoryFile();
      await socket.sendWithFds(handShake(), [region, 0]);
      os.close(region);
      await socket.receiveMessage();
      await socket.send(END);
      assert.deepEqual((await socket.receiveMessage()).data, Buffer.from(END));
      await assert.rejects(socket.receiveMessage(), { code: 'EOF' });
      assert.deepEqual(await ended, [0, null]);
    });

    it('refuses a wrong hand-shake, and a wrong region', TIMEOUT, async (t) => {
      const refused = async (what: string, message: Buffer, file: Parameters<typeof memoryFile>[0]) => {
        const { socket, ended, errors } = spawned(t, CAPACITY, 'echo');
        const region = memoryFile(file);
        await socket.sendWithFds(message, [region]);
        os.close(region);
        assert.deepEqual(await ended, [1, null], what);
        assert.match(await errors, /Protocol ?error/i, what);
      };
      await Promise.all([
        refused('version 2', handShake({ version: 2 }), {}),
        refused('another magic', handShake({ magic: 'SQPKTSHN' }), {}),
        refused('17 bytes', Buffer.concat([handShake(), Buffer.alloc(1)]), {}),
        refused('no power of two', handShake({ capacity: 6144 }), { bytes: HEADER + 6144 }),
        refused('a capacity of 2,048 bytes', handShake({ capacity: 2048 }), { bytes: HEADER + 2048 }),
        refused('a short file', handShake(), { bytes: HEADER + CAPACITY - 8 }),
        refused('a long file', handShake(), { bytes: HEADER + CAPACITY + 8 }),
        ...[
          F_SEAL_GROW | F_SEAL_SEAL,
          F_SEAL_SHRINK | F_SEAL_SEAL,
          F_SEAL_SHRINK | F_SEAL_GROW,
          SEALS | F_SEAL_WRITE,
          SEALS | F_SEAL_FUTURE_WRITE,
        ].map((seals) => refused(`the seals ${seals}`, handShake(), { seals })),
      ]);
    });

    it('finds wrong values', TIMEOUT, async (t) => {
      await Promise.all(
        Object.entries(WRONG).map(async ([what, lie]) => {
          const { socket, ended, errors } = spawned(t, CAPACITY, 'echo');
          await lie(await rawPeer(socket), socket);
          await socket.send(WAKE_UP).catch(() => undefined);
          assert.deepEqual(await ended, [1, null], what);
          assert.match(await errors, /Protocol ?error/i, what);
        }),
      );
    });
  });
}
