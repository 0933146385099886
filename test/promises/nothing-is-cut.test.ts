/** Promise: a message longer than the buffer is never cut. It stays next in line, whole. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { MessageFlag, SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { missing } from '../support/programs.js';
import { forceSendBuffer, receiveText, socketPair } from '../support/sockets.js';

test('it rejects with EMSGSIZE and the length of the message, and the next receive gets it', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.from('forty bytes, or nearly so, in one message'));
  await ends.a.send(Buffer.from('next'));
  await assert.rejects(ends.b.receive(Buffer.alloc(16)), {
    code: 'EMSGSIZE',
    errno: -90,
    syscall: 'recvmsg',
    messageSize: 41,
  });
  assert.equal(await receiveText(ends.b), 'forty bytes, or nearly so, in one message');
  assert.equal(await receiveText(ends.b), 'next');
});

for (const [length, room] of [
  [1, 0],
  [5, 4],
  [4097, 4096],
  [200_000, 1],
  [200_000, 199_999],
] as const) {
  test(`${length} bytes for a buffer of ${room}`, async () => {
    using ends = socketPair();
    const message = Buffer.from(Array.from({ length }, (_, index) => index % 251));
    await ends.a.send(message);
    for (let times = 0; times < 3; times++) {
      await assert.rejects(ends.b.receive(Buffer.alloc(room)), { code: 'EMSGSIZE', messageSize: length });
    }
    const buffer = Buffer.alloc(length);
    assert.equal(await ends.b.receive(buffer), length);
    assert.deepEqual(buffer, message);
  });
}

test('its descriptors stay with it', async () => {
  using ends = socketPair();
  const before = openDescriptors().size;
  await ends.a.sendWithFds(Buffer.from('long'), [0, 1, 2]);
  await assert.rejects(ends.b.receive(Buffer.alloc(2)), { code: 'EMSGSIZE' });
  await assert.rejects(ends.b.receiveWithFds(Buffer.alloc(3), 3), { code: 'EMSGSIZE' });
  const { bytesRead, fds, controlTruncated } = await ends.b.receiveWithFds(Buffer.alloc(4), 3);
  assert.deepEqual([bytesRead, fds.length, controlTruncated], [4, 3, false]);
  for (const fd of fds) fd.close();
  assert.equal(openDescriptors().size, before);
});

test('peek and truncate return the kept message', async () => {
  using ends = socketPair();
  await ends.a.sendWithFds(Buffer.from('a long message'), [0]);
  const { peek, truncate } = MessageFlag;
  await assert.rejects(ends.b.receive(Buffer.alloc(4), { flags: peek }), { messageSize: 14 });
  await assert.rejects(ends.b.receive(Buffer.alloc(4)), { messageSize: 14 });
  await assert.rejects(ends.b.receive(Buffer.alloc(4), { flags: peek }), { messageSize: 14 });
  const buffer = Buffer.alloc(20);
  const peeked = await ends.b.receiveWithFds(buffer, 1, { flags: peek });
  assert.equal(buffer.toString('utf8', 0, peeked.bytesRead), 'a long message');
  assert.equal(await ends.b.receive(Buffer.alloc(0), { flags: peek | truncate }), 14);
  const small = Buffer.alloc(6);
  const received = await ends.b.receiveWithFds(small, 1, { flags: truncate });
  assert.deepEqual([received.bytesRead, small.toString()], [14, 'a long']);
  for (const fd of [...peeked.fds, ...received.fds]) fd.close();
  assert.equal(ends.b.ioControl('bytesReadable'), 0);
});

test('receives that wait behind the one that was too small are served', async () => {
  using ends = socketPair();
  const small = ends.b.receive(Buffer.alloc(2));
  const second = receiveText(ends.b);
  const third = receiveText(ends.b);
  await ends.a.send(Buffer.from('first'));
  await ends.a.send(Buffer.from('second'));
  await assert.rejects(small, { code: 'EMSGSIZE', messageSize: 5 });
  assert.equal(await second, 'first');
  assert.equal(await third, 'second');
});

test('several buffers count together', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.from('123456789'));
  await assert.rejects(ends.b.receive([Buffer.alloc(4), Buffer.alloc(4)]), { messageSize: 9 });
  const parts = [Buffer.alloc(4), Buffer.alloc(0), Buffer.alloc(5)] as const;
  assert.equal(await ends.b.receive(parts), 9);
  assert.equal(Buffer.concat(parts).toString(), '123456789');
});

test('release refuses rather than lose it', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.from('long'));
  await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  assert.throws(() => ends.b.release(), { code: 'ERR_INVALID_STATE' });
  assert.equal(ends.b.isOpen, true);
  assert.equal(await receiveText(ends.b), 'long');
  ends.b.release().close();
});

test('closing lets it go, descriptors and all', async () => {
  const before = openDescriptors().size;
  const [a, b] = SeqpacketSocket.pair();
  await a.sendWithFds(Buffer.from('long'), [0, 1]);
  await assert.rejects(b.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  b.close();
  a.close();
  assert.equal(openDescriptors().size, before);
});

test('the kept message is received before the end of file', async () => {
  using ends = socketPair();
  await ends.a.send(Buffer.from('long'));
  ends.a.close();
  await assert.rejects(ends.b.receive(Buffer.alloc(1)), { code: 'EMSGSIZE' });
  assert.equal(await receiveText(ends.b), 'long');
  await assert.rejects(receiveText(ends.b), { code: 'EOF' });
});

test('the longest message that Linux can make', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async () => {
  using ends = socketPair();
  forceSendBuffer(ends.a, 1 << 28);
  let longest = 0;
  for (let step = 1 << 22; step >= 1; step >>= 1) {
    const sent = await ends.a.send(Buffer.alloc(longest + step, 7)).catch((error) => {
      assert.match(error.code, /^(ENOBUFS|EMSGSIZE|ENOMEM)$/);
      return 0;
    });
    if (sent === 0) continue;
    longest += step;
    await assert.rejects(ends.b.receive(Buffer.alloc(10)), { code: 'EMSGSIZE', messageSize: longest });
    const buffer = Buffer.alloc(longest);
    assert.equal(await ends.b.receive(buffer), longest);
    assert.ok(buffer.equals(Buffer.alloc(longest, 7)));
  }
  assert.ok(longest > 4_000_000, `${longest}`);
});

test('the ordinary receive makes one system call', { skip: missing('strace') }, () => {
  const script = `
    import { SeqpacketSocket } from 'seqpacket';
    const [a, b] = SeqpacketSocket.pair();
    const buffer = Buffer.alloc(64);
    for (let i = 0; i < 100; i++) { await a.send(Buffer.alloc(64)); await b.receive(buffer); }
    process.exit();
  `;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const calls = ['-f', '-qq', '-e', 'trace=recvmsg,recvfrom,recvmmsg,ioctl', '-e', 'signal=none'];
  const { stderr } = spawnSync('strace', [...calls, ...node], { encoding: 'utf8' });
  const received = stderr.split('\n').filter((line) => /recvmsg\(.*= 64$/.test(line));
  assert.equal(received.length, 100, stderr.slice(-2000));
  const others = stderr.split('\n').filter((line) => /recv|FIONREAD/.test(line) && !/= 64$/.test(line));
  assert.deepEqual(others, []);
});
