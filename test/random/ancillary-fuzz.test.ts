/**
 * Control messages as odd as the kernel lets them pass, from Python in another process: whatever comes, each
 * message is delivered whole, with the very descriptors that were passed, and none is left open.
 *
 *   SEQPACKET_SEED=N           the same messages and the same receives again
 *   SEQPACKET_FUZZ_MESSAGES=N  more of them
 */
import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { test } from 'node:test';
import { type FileDescriptor, MessageFlag, type ReceivedWithFds, type SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { os } from '../support/internals.js';
import { abstractName, closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { listeningAt } from '../support/sockets.js';

const SEED = Number(process.env['SEQPACKET_SEED'] ?? randomInt(2 ** 32));
const MESSAGES = Number(process.env['SEQPACKET_FUZZ_MESSAGES'] ?? 1000);
const OPTIONS = { skip: missing('python3'), timeout: 60_000 + 50 * MESSAGES };

const MOST_FDS = 253;
const SOL_SOCKET = 1;
const F_GETFD = 1;
const F_GETFL = 3;
const FD_CLOEXEC = 1;
const O_ACCMODE = 3;

/** Options with which the kernel adds control messages of its own. */
const SO_PASSCRED = 16;
const SO_TIMESTAMP = 29;
const SO_PASSSEC = 34;
const SO_TIMESTAMPNS = 35;
const SO_PASSPIDFD = 76;
const TIME_STAMPS: readonly number[] = [SO_TIMESTAMP, SO_TIMESTAMPNS];

/**
 * All that is random is drawn before the message is sent, so that a seed means the same messages wherever
 * the kernel refuses others of them.
 */
const SENDER = `
import errno, fcntl, random
name, seed, count = args
rng = random.Random(seed)
peer = connect(name)
_, (theirs,), _, _ = socket.recv_fds(peer, 100, 1)  # the receiving socket itself
MOST = ${MOST_FDS}

def identity(fd):
    stat = os.fstat(fd)
    return f'{stat.st_dev}:{stat.st_ino}:{fcntl.fcntl(fd, fcntl.F_GETFL) & 3}'

def pair(kind): return [each.detach() for each in socket.socketpair(socket.AF_UNIX, kind)]

def fresh():
    kind = rng.randrange(6)
    if kind == 0: return os.pipe()
    if kind == 1: return pair(socket.SOCK_SEQPACKET)
    if kind == 2: return pair(rng.choice([socket.SOCK_STREAM, socket.SOCK_DGRAM]))
    if kind == 3: return [os.memfd_create('fuzz')]
    if kind == 4: return [os.dup(peer.fileno())]
    return [os.open('/', rng.choice([os.O_RDONLY, os.O_PATH]))]

pool = [peer.fileno(), theirs, os.dup(theirs), os.open('/dev/null', os.O_RDWR), seqpacket().detach()]
for _ in range(20): pool.extend(fresh())
pool = [(fd, identity(fd)) for fd in pool]
closed = [os.dup(0) + 1000, -1, 2**31 - 1]

def size():
    kind = rng.random()
    if kind < .2: return 0
    if kind < .5: return rng.randint(1, 64)
    if kind < .9: return rng.randint(1, 9000)
    return rng.randint(1, 65536) if kind < .99 else rng.randint(1, 1 << 20)

def number_of_fds():
    kind = rng.random()
    if kind < .25: return 0
    if kind < .6: return rng.randint(1, 6)
    if kind < .85: return rng.randint(1, MOST)
    return rng.randint(MOST - 3, MOST) if kind < .97 else rng.randint(MOST + 1, MOST + 50)

def split(items):
    cuts = sorted(rng.randint(0, len(items)) for _ in range(rng.choice([0, 0, 1, 2, 3, 9, len(items)])))
    return [items[a:b] for a, b in zip([0, *cuts], [*cuts, len(items)])]

def rights(fds):
    # What is less than a whole number the kernel passes over.
    rest = b'\\x01' * rng.randint(1, 3) if rng.random() < .1 else b''
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f'{len(fds)}i', *fds) + rest

def credentials():
    pid, uid, gid = os.getpid(), os.getuid(), os.getgid()
    if rng.random() < .1: uid = 12345   # for root only
    if rng.random() < .05: pid = 2**30  # nobody
    data = struct.pack('3i', pid, uid, gid)
    return socket.SOL_SOCKET, socket.SCM_CREDENTIALS, data[:rng.randint(0, 11)] if rng.random() < .05 else data

def foreign():
    # Not SOL_SOCKET: the kernel passes over it, even where the type is SCM_RIGHTS.
    return rng.choice([0, 6, 41, 2**31 - 1]), rng.choice([0, 1, 2]), rng.randbytes(rng.randint(0, 50))

def unknown(): return socket.SOL_SOCKET, rng.choice([0, 3, 4, 29, 99]), rng.randbytes(rng.randint(0, 20))

def control(fds):
    messages = [rights(part) for part in split(fds)] if fds or rng.random() < .3 else []
    for make, likely in (credentials, .25), (foreign, .15), (unknown, .02):
        while rng.random() < likely: messages.insert(rng.randint(0, len(messages)), make())
    return messages

def send_from_child(*message):
    # Who sent it is gone before it is received.
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try: peer.sendmsg(*message)
        except OSError as error: os._exit(error.errno)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0: raise OSError(code, os.strerror(code))

for number in range(count):
    signal.alarm(60)
    own = [fd for _ in range(rng.choice([0, 0, 1, 5])) for fd in fresh()]
    known = pool + [(fd, identity(fd)) for fd in own]
    chosen = [rng.choice(known) for _ in range(number_of_fds())]
    if chosen and rng.random() < .1: chosen = [chosen[0]] * len(chosen)
    fds = [fd for fd, _ in chosen]
    if fds and rng.random() < .03: fds[rng.randrange(len(fds))] = rng.choice(closed)
    data = hashlib.shake_128(b'%d' % number).digest(size())
    flags = rng.choice([0, socket.MSG_EOR, socket.MSG_OOB if rng.random() < .05 else 0])
    message = split(data) if len(data) < 500 else [data], control(fds), flags
    send = send_from_child if rng.random() < .02 else peer.sendmsg
    try:
        send(*message)
        say(dict(length=len(data), fds=[each for _, each in chosen]))
    except OSError as error:
        say(dict(refused=errno.errorcode[error.errno]))
    for fd in own: os.close(fd)
hear()  # the pipes to this process are among the descriptors that are counted
`;

interface Refused {
  refused: string;
}

interface Sent {
  length: number;
  /** What the descriptors are, in their order. */
  fds: string[];
}

/** mulberry32 */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From 0 to the limit, both included. */
  upTo(limit: number): number {
    return Math.floor(this.next() * (limit + 1));
  }

  chance(likely: number): boolean {
    return this.next() < likely;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.upTo(values.length - 1)] as T;
  }
}

/** A receive that was called, and with what. */
interface Reception {
  memory: Buffer;
  flags: number;
  /** Undefined for a plain receive. */
  maxFds: number | undefined;
  outcome: Promise<PromiseSettledResult<ReceivedWithFds | number>>;
}

const UNTOUCHED = 0xa5;
const { peek, truncate } = MessageFlag;

/** One socket, and what it is known to do next. */
class Receiving {
  readonly #controls: number[];
  #delivers = false;
  #pending: Reception | undefined;

  constructor(private readonly socket: SeqpacketSocket) {
    const wanted = [SO_PASSCRED, SO_TIMESTAMP, SO_PASSSEC, SO_TIMESTAMPNS, SO_PASSPIDFD];
    this.#controls = wanted.filter((name) => this.#switch(name, false) === 0);
  }

  /** Lets a receive wait for the next message, whatever that will be. */
  begin(random: Random): void {
    this.#pending ??= this.#receive(random, random.pick([0, 10, 5000, 70_000]));
  }

  /** Receives one message, after as many calls as it takes. */
  async message(number: number, sent: Sent, random: Random): Promise<void> {
    for (let received = false; !received; ) {
      if (this.#pending === undefined && random.chance(0.2)) this.#switchSomething(random);
      const { length } = sent;
      const rooms = [length, length, length + random.upTo(100), random.upTo(length), 0];
      const reception = this.#pending ?? this.#receive(random, random.pick(rooms));
      this.#pending = undefined;
      received = await this.#check(number, sent, reception);
    }
  }

  async end(random: Random): Promise<void> {
    this.begin(random);
    const outcome = await this.#pending?.outcome;
    assert.equal(outcome?.status === 'rejected' && outcome.reason.code, 'EOF');
  }

  #receive(random: Random, room: number): Reception {
    const memory = Buffer.alloc(room, UNTOUCHED);
    const flags = (random.chance(0.3) ? peek : 0) | (random.chance(0.15) ? truncate : 0);
    const buffer = random.chance(0.3) ? scattered(memory, random) : memory;
    const maxFds = random.pick([undefined, 0, 1, random.upTo(10), random.upTo(MOST_FDS), MOST_FDS, MOST_FDS]);
    const promise =
      maxFds === undefined
        ? this.socket.receive(buffer, { flags })
        : this.socket.receiveWithFds(buffer, maxFds, { flags });
    return { memory, flags, maxFds, outcome: settled<ReceivedWithFds | number>(promise) };
  }

  /** @returns whether the message has been taken off the queue */
  async #check(number: number, sent: Sent, reception: Reception): Promise<boolean> {
    const { memory, flags, maxFds } = reception;
    const isPeek = (flags & peek) !== 0;
    const outcome = await reception.outcome;
    if (sent.length === 0 && !this.#delivers) {
      assert.equal(codeOf(outcome), 'EOF');
      return !isPeek;
    }
    if (sent.length > memory.length && (flags & truncate) === 0) {
      assert.equal(codeOf(outcome), 'EMSGSIZE');
      assert.equal((outcome as PromiseRejectedResult).reason.messageSize, sent.length);
      return false;
    }
    if (outcome.status === 'rejected') throw outcome.reason;
    const { value } = outcome;
    if (typeof value === 'number') {
      assert.equal(maxFds, undefined);
      assert.equal(value, sent.length);
    } else {
      assert.equal(value.bytesRead, sent.length);
      checkDescriptors(value, sent, maxFds ?? Number.NaN);
    }
    const copied = Math.min(sent.length, memory.length);
    assert.ok(memory.subarray(0, copied).equals(content(number, copied)), 'the data');
    assert.ok(memory.subarray(copied).equals(Buffer.alloc(memory.length - copied, UNTOUCHED)), 'the rest');
    return !isPeek;
  }

  #switchSomething(random: Random): void {
    if (random.chance(0.2)) {
      this.#delivers = !this.#delivers;
      this.socket.setOption('emptyMessages', this.#delivers ? 'deliver' : 'eof');
      return;
    }
    const name = random.pick(this.#controls);
    // By its time stamp an empty message is told from the end of file.
    this.#switch(name, (this.#delivers && TIME_STAMPS.includes(name)) || random.chance(0.7));
  }

  #switch(name: number, on: boolean): number {
    return os.setsockopt(this.socket.fd, SOL_SOCKET, name, Int32Array.of(on ? 1 : 0));
  }
}

/** The data of a message. */
function content(number: number, length: number): Buffer {
  return createHash('shake128', { outputLength: length }).update(`${number}`).digest();
}

/** The same memory in several buffers, some of them empty. */
function scattered(memory: Buffer, random: Random): Buffer[] {
  const cuts = Array.from({ length: random.upTo(5) }, () => random.upTo(memory.length)).sort((a, b) => a - b);
  return [...cuts, memory.length].map((cut, index) => memory.subarray(cuts[index - 1] ?? 0, cut));
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  return (await Promise.allSettled([promise]))[0];
}

function codeOf(outcome: PromiseSettledResult<unknown>): string | undefined {
  return outcome.status === 'rejected' ? outcome.reason.code : `success: ${JSON.stringify(outcome.value)}`;
}

function checkDescriptors({ fds, controlTruncated }: ReceivedWithFds, sent: Sent, maxFds: number): void {
  try {
    assert.deepEqual(fds.map(identity), sent.fds.slice(0, maxFds));
    assert.equal(controlTruncated, sent.fds.length > maxFds);
    assert.equal(new Set(fds.map(({ fd }) => fd)).size, fds.length);
    for (const { fd } of fds) assert.equal(os.fcntl(fd, F_GETFD, 0), FD_CLOEXEC);
  } finally {
    for (const fd of fds) fd.close();
  }
}

/** The file behind a descriptor, and for which direction it is open. */
function identity({ fd }: FileDescriptor): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}:${os.fcntl(fd, F_GETFL, 0) & O_ACCMODE}`;
}

test(`${MESSAGES} messages with odd control messages`, OPTIONS, async (t) => {
  t.diagnostic(`SEQPACKET_SEED=${SEED}`);
  const acceptor = closing(t, listeningAt(abstractName()));
  const python = new Python(t, SENDER, acceptor.localPath, SEED, MESSAGES);
  assert.equal(await python.says(), 'connected');
  const socket = closing(t, await acceptor.accept());
  await socket.sendWithFds(Buffer.from('yourself'), [socket]);
  const receiving = new Receiving(socket);
  const baseline = openDescriptors();
  const outcomes: Record<string, number> = {};

  for (let number = 0; number < MESSAGES; number++) {
    const random = new Random(SEED ^ Math.imul(number + 1, 0x9e3779b1));
    if (random.chance(0.2)) receiving.begin(random);
    const report = (await python.says()) as Sent | Refused;
    const outcome = 'refused' in report ? report.refused : 'sent';
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if ('refused' in report) continue;
    try {
      await receiving.message(number, report, random);
      assert.deepEqual(openDescriptors(), baseline);
    } catch (error) {
      t.diagnostic(`message ${number}: ${report.length} bytes, ${report.fds.length} descriptors`);
      throw error;
    }
  }

  python.tell('end');
  await receiving.end(new Random(SEED));
  await python.finished();
  t.diagnostic(JSON.stringify(outcomes));
  assert.ok((outcomes['sent'] ?? 0) > MESSAGES / 2);
  const { fd } = socket;
  socket.close();
  baseline.delete(fd);
  const open = openDescriptors();
  for (const [number, target] of open) assert.equal(baseline.get(number), target);
});
