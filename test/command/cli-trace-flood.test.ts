/** `seqpacket trace` under a flood in both directions: nothing is lost, and memory stays flat. */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { connect, listen, type SeqpacketSocket } from 'seqpacket';
import { residentKilobytes, tracing } from '../support/command.js';
import { closing } from '../support/peers.js';
import { scratchPath } from '../support/scratch.js';

/** In each direction. */
const MESSAGES = Number(process.env['SEQPACKET_TRACE_MESSAGES'] ?? 30_000);
/** One in so many has a descriptor, another one is empty. */
const EACH = 500;
const LARGEST = 400;
/** More than a heap's ups and downs, and far less than what goes through. */
const MOST_GROWTH_KB = 64 * 1024;

function isEmpty(index: number): boolean {
  return index % EACH === 1;
}

function hasDescriptor(index: number): boolean {
  return index % EACH === 0;
}

function messageOf(index: number): Buffer {
  if (isEmpty(index)) return Buffer.alloc(0);
  const data = Buffer.alloc(4 + ((index * 7919) % LARGEST), index & 0xff);
  data.writeUInt32LE(index);
  return data;
}

async function sendAll(socket: SeqpacketSocket, fd: number): Promise<void> {
  for (let index = 0; index < MESSAGES; index++) {
    await socket.sendWithFds(messageOf(index), hasDescriptor(index) ? [fd] : []);
  }
  socket.shutdown('send');
}

async function receiveAll(
  socket: SeqpacketSocket,
  inode: number,
  progress: (share: number) => void,
): Promise<void> {
  let index = 0;
  for await (const { data, fds, controlTruncated } of socket.messages({ maxFds: 253 })) {
    if (!data.equals(messageOf(index))) assert.fail(`message ${index} is not what was sent`);
    if (fds.length !== (hasDescriptor(index) ? 1 : 0)) assert.fail(`${fds.length} descriptors with ${index}`);
    if (controlTruncated) assert.fail(`descriptors lost with ${index}`);
    for (const fd of fds) {
      if (fstatSync(fd.fd).ino !== inode) assert.fail(`another file with ${index}`);
      fd.close();
    }
    index++;
    if (index % Math.floor(MESSAGES / 10) === 0) progress(index / MESSAGES);
  }
  assert.equal(index, MESSAGES);
}

const title = `${MESSAGES} messages in each direction, with descriptors, arrive, and memory stays flat`;

test(title, { timeout: 600_000 }, async (t) => {
  const path = scratchPath();
  const between = scratchPath('between');
  const acceptor = closing(t, listen(path, { emptyMessages: 'deliver' }));
  const trace = await tracing(t, between, path, '--bytes', '0');
  const pid = trace.process.pid!;
  trace.process.stdout.removeAllListeners('data').resume();

  const client = closing(t, await connect(between, { emptyMessages: 'deliver' }));
  const server = closing(t, await acceptor.accept());
  const fd = openSync('/etc/passwd', 'r');
  t.after(() => closeSync(fd));
  const { ino } = fstatSync(fd);

  let early = 0;
  let late = 0;
  const start = performance.now();
  const watch = (share: number) => {
    if (share >= 0.3 && early === 0) early = residentKilobytes(pid);
    late = Math.max(late, residentKilobytes(pid));
  };
  await Promise.all([
    sendAll(client, fd),
    sendAll(server, fd),
    receiveAll(server, ino, watch),
    receiveAll(client, ino, () => {}),
  ]);
  const seconds = (performance.now() - start) / 1000;
  t.diagnostic(`${Math.round((2 * MESSAGES) / seconds)} messages/s; ${early} KB at 30 %, ${late} KB at most`);
  // AddressSanitizer keeps what is freed for a while.
  if (process.env['SEQPACKET_SANITIZED'] === undefined) {
    assert.ok(late - early < MOST_GROWTH_KB, `grew from ${early} to ${late} KB`);
  }
  const open = readdirSync(`/proc/${pid}/fd`).length;
  assert.ok(open < 40, `${open} descriptors are open in trace`);
  assert.equal((await trace.interrupted()).code, 0);
});
