/** Hand-shakes that are refused: with a clear error, and without anything left behind. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { constants, openSync, readFileSync, unlinkSync } from 'node:fs';
import { test } from 'node:test';
import { type FdSource, pair, shareMemory } from 'seqpacket';
import { allUnmapped } from '../support/channels.js';
import { openDescriptors } from '../support/descriptors.js';
import { os } from '../support/internals.js';
import {
  CAPACITY,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  HEADER,
  handShake,
  memoryFile,
  SEALS,
} from '../support/raw-peer.js';

interface Refused {
  readonly message?: Buffer;
  /** Makes the descriptors of the hand-shake. */
  readonly fds?: () => number[];
  readonly error: RegExp;
  readonly code?: string;
}

const sized = (capacity: number) => ({
  message: handShake({ capacity }),
  fds: () => [memoryFile({ bytes: HEADER + (capacity >>> 0) })],
});

/** Reopens a file in memory. */
function reopened(flags: string | number): number {
  const fd = memoryFile();
  const again = openSync(`/proc/self/fd/${fd}`, flags);
  os.close(fd);
  return again;
}

/** The reading end of a pipe. */
function pipe(): number {
  const path = `/tmp/seqpacket-pipe-${process.pid}`;
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, 'r+');
  unlinkSync(path);
  return fd;
}

const O_PATH = 0o10000000;

function ordinaryFile(path: string): number {
  const fd = openSync(path, 'w+');
  unlinkSync(path);
  os.ftruncate(fd, HEADER + CAPACITY);
  return fd;
}

function endOfSocketPair(): number {
  const ends = new Int32Array(2);
  os.socketpair(1, 5, 0, ends);
  os.close(ends[1] as number);
  return ends[0] as number;
}

const unsealed = /not sealed against changes of its size/;
const sealedForWriting = /sealed against writing/;
const noMemory = /not that of a file in memory/;
const notAPowerOf2 = /not a power of 2 from 4096 to 1073741824/;

const REFUSED: Readonly<Record<string, Refused>> = {
  'not sealed': { fds: () => [memoryFile({ seals: 0 })], error: unsealed },
  'can shrink': { fds: () => [memoryFile({ seals: F_SEAL_GROW | F_SEAL_SEAL })], error: unsealed },
  'can grow': { fds: () => [memoryFile({ seals: F_SEAL_SHRINK | F_SEAL_SEAL })], error: unsealed },
  'can get more seals': { fds: () => [memoryFile({ seals: F_SEAL_SHRINK | F_SEAL_GROW })], error: unsealed },
  'sealed against writing': {
    fds: () => [memoryFile({ seals: SEALS | F_SEAL_WRITE })],
    error: sealedForWriting,
  },
  'sealed against future writing': {
    fds: () => [memoryFile({ seals: SEALS | F_SEAL_FUTURE_WRITE })],
    error: sealedForWriting,
  },
  'without permission for seals': { fds: () => [memoryFile({ flags: 0, seals: 0 })], error: unsealed },
  'too short': {
    fds: () => [memoryFile({ bytes: HEADER + CAPACITY - 1 })],
    error: /has 8191 bytes instead of 8192/,
  },
  'too long': {
    fds: () => [memoryFile({ bytes: HEADER + CAPACITY + 1 })],
    error: /has 8193 bytes instead of 8192/,
  },
  'an empty file': { fds: () => [memoryFile({ bytes: 0 })], error: /has 0 bytes instead of 8192/ },
  'a small ring': { ...sized(2048), error: notAPowerOf2 },
  'a ring of 0 bytes': { ...sized(0), error: notAPowerOf2 },
  'a ring of 5,000 bytes': { ...sized(5000), error: notAPowerOf2 },
  'a ring of 2 GiB': { message: handShake({ capacity: 2 ** 31 }), error: notAPowerOf2 },
  'a ring of 4 GiB, less 1 byte': { message: handShake({ capacity: 2 ** 32 - 1 }), error: notAPowerOf2 },
  'a descriptor for reading only': { fds: () => [reopened('r')], error: /not open for reading and writing/ },
  'a descriptor for writing only': {
    fds: () => [reopened(constants.O_WRONLY)],
    error: /not open for reading and writing/,
  },
  'a descriptor without access': { fds: () => [reopened(O_PATH)], error: noMemory },
  'an ordinary file': { fds: () => [ordinaryFile(`/tmp/seqpacket-${process.pid}`)], error: /memory/ },
  'a file in /dev/shm': { fds: () => [ordinaryFile(`/dev/shm/seqpacket-${process.pid}`)], error: unsealed },
  'a device': { fds: () => [openSync('/dev/zero', 'r+')], error: noMemory },
  'a directory': { fds: () => [openSync('/tmp', 'r')], error: /memory/ },
  'a pipe': { fds: () => [pipe()], error: noMemory },
  'a socket': { fds: () => [endOfSocketPair()], error: noMemory },
  'no descriptor': { fds: () => [], error: /has no descriptor/ },
  'another magic': { message: handShake({ magic: 'SQPKTSHN' }), error: /not a hand-shake/ },
  'another version': {
    message: handShake({ version: 2 }),
    error: /the peer uses version 2 of the format, and this library version 1/,
  },
  'a short message': { message: handShake().subarray(0, 15), error: /not a hand-shake/ },
  'a long message': { message: Buffer.concat([handShake(), Buffer.alloc(1)]), error: /not a hand-shake/ },
  'an empty message': { message: Buffer.alloc(0), code: 'EOF', error: /end of file/ },
  'an empty message without descriptors': {
    message: Buffer.alloc(0),
    fds: () => [],
    code: 'EOF',
    error: /end of file/,
  },
  'an ordinary message': { message: Buffer.from('hello'), error: /not a hand-shake/ },
};

for (const [
  what,
  { message = handShake(), fds = () => [memoryFile()], code = 'EPROTO', error },
] of Object.entries(REFUSED)) {
  test(`a hand-shake is refused: ${what}`, async () => {
    const before = openDescriptors().size;
    const [here, there] = pair();
    const numbers = fds();
    await there.sendWithFds(message, numbers as FdSource[]);
    for (const each of numbers) os.close(each);
    await assert.rejects(shareMemory(here), { code, message: error });
    assert.equal(here.isOpen, false);
    there.close();
    assert.equal(openDescriptors().size, before);
    await allUnmapped();
  });
}

const HUGE_PAGE = 2 << 20;
const MFD_ALLOW_SEALING = 2;
const MFD_HUGETLB = 4;

test('a hand-shake is refused: huge pages', async (t) => {
  let fd: number;
  try {
    fd = memoryFile({ flags: MFD_ALLOW_SEALING | MFD_HUGETLB, bytes: HUGE_PAGE });
  } catch (error) {
    return t.skip(`this machine has no huge pages: ${(error as Error).message}`);
  }
  const [here, there] = pair();
  await there.sendWithFds(handShake({ capacity: HUGE_PAGE }), [fd]);
  os.close(fd);
  await assert.rejects(shareMemory(here), {
    code: 'EPROTO',
    message: /has 2097152 bytes instead of 2101248/,
  });
  there.close();
});

test('more descriptors than one are closed', async () => {
  const before = openDescriptors().size;
  const [here, there] = pair();
  const fd = memoryFile();
  await there.sendWithFds(handShake(), [fd, 0, 1, 2]);
  os.close(fd);
  const channel = await shareMemory(here);
  assert.equal(openDescriptors().size, before + 2);
  channel.close();
  there.close();
});

test('a peer that closes the socket, before or after its own end has sent the hand-shake', async () => {
  const before = openDescriptors().size;
  for (const isBefore of [true, false]) {
    const [here, there] = pair();
    if (isBefore) there.close();
    const shaking = shareMemory(here);
    if (!isBefore) there.close();
    const code = await shaking.catch((error) => error.code);
    assert.ok(['EPIPE', 'EOF', 'ECONNRESET'].includes(code), code);
    assert.equal(here.isOpen, false);
  }
  assert.equal(openDescriptors().size, before);
  await allUnmapped();
});

test('the descriptor of the peer cannot be opened', () => {
  const script = `
    import { pair, shareMemory } from '${new URL('../../../dist/index.mjs', import.meta.url)}';
    import { handShake, memoryFile } from '${new URL('../support/raw-peer.js', import.meta.url)}';
    import { openSync } from 'node:fs';
    const [here, there] = pair();
    const fd = memoryFile();
    const shaking = shareMemory(here);
    await new Promise(setImmediate);
    try { for (;;) openSync('/dev/null'); } catch {}
    there.trySend(handShake(), [fd]);
    await shaking.catch(({ code, message }) => console.log(code, message));
    console.log(here.isOpen);`;
  const command = 'ulimit -n 60; exec "$0" --input-type=module -e "$1"';
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' });
  assert.match(stdout, /^EPROTO .*the hand-shake of the peer has no descriptor\nfalse\n$/, stderr);
});

test('no answer, until the signal is aborted', async () => {
  const before = openDescriptors().size;
  const [here, there] = pair();
  await assert.rejects(shareMemory(here, { signal: AbortSignal.timeout(20) }), { code: 'ABORT_ERR' });
  assert.equal(here.isOpen, false);
  there.close();
  assert.equal(openDescriptors().size, before);
  await allUnmapped();
});

test('a socket that is closed while the hand-shake ends leaves no memory', async () => {
  const mapped = () =>
    readFileSync('/proc/self/maps', 'utf8').match(/memfd:(seqpacket|raw-peer)/g)?.length ?? 0;
  for (let ticks = 0; ticks < 16; ticks++) {
    const [here, there] = pair();
    const fd = memoryFile();
    there.trySend(handShake(), [fd]);
    os.close(fd);
    const shaking = shareMemory(here, { bytes: CAPACITY });
    for (let i = 0; i < ticks; i++) await null;
    here.close();
    await shaking.catch(({ code }) => assert.ok(code === 'EBADF' || code === 'ECANCELED', code));
    there.close();
    // Before the next one, because garbage collection would also unmap the memory.
    for (let i = 0; i < 20 && mapped() > 0; i++) await new Promise(setImmediate);
    assert.equal(mapped(), 0, `after ${ticks} ticks`);
  }
});
