/** One end of a connection of the soak in a process of Python: a peer that does not use this library. */
import { spawn } from 'node:child_process';
import { unsanitizedEnvironment } from '../programs.js';
import type { Account } from './ledger.js';

export interface PythonEnd {
  /** Where to connect. */
  path: string;
  /** Of a file: see message.ts. */
  table: string;
  connection: number;
  seed: number;
  messages: number;
  /** Whether it closes in the middle of it, with messages unread. */
  closes: boolean;
  /** Whether the other end does. */
  peerCloses: boolean;
  files: readonly string[];
}

/** The numbers of the states are those of ledger.ts, the format is that of message.ts. */
const SCRIPT = `
import array, errno, json, os, random, socket, sys, threading, time
end = json.loads(sys.argv[1])
connection = end['connection']
chance = random.Random(end['seed'] ^ connection)
table = open(end['table'], 'rb').read()
files = [os.open(path, os.O_RDONLY) for path in end['files']]
PENDING, SENT, UNSENT, EMPTY = 1, 2, 3, 4
FIXED, LONGEST = 36, 300000
states, received = [], []
closing = False

def checksum(data):
    value = 0x811c9dc5
    for byte in data: value = ((value ^ byte) * 0x01000193) & 0xffffffff
    return value

def body(side, sequence, length):
    start = ((connection * 2 + side) * 0x9e3779b1 + sequence * 7919) & 0xffffffff
    at = start % (len(table) - LONGEST)
    return table[at:at + length]

def encode(side, sequence, extra, last, inodes):
    inode_list = ''.join('%016x' % inode for inode in inodes).encode()
    length = FIXED + len(inode_list) + extra
    fields = b'%08x%d%08x%08x%s%02x' % (connection, side, sequence, length, b'L' if last else b'M', len(inodes))
    return fields + b'%08x' % checksum(fields + inode_list) + inode_list + body(side, sequence, extra)

def decode(data, fds):
    sequence, count = int(data[9:17], 16), int(data[26:28], 16)
    inodes = [int(data[FIXED + 16 * i:FIXED + 16 * i + 16], 16) for i in range(count)]
    assert inodes == [os.fstat(fd).st_ino for fd in fds], ('descriptors', sequence)
    extra = len(data) - FIXED - 16 * count
    assert data == encode(1, sequence, extra, data[25:26] == b'L', inodes), ('corrupt', sequence)
    return sequence, data[25:26] == b'L'

def send(extra, last=False):
    sequence = len(states)
    fds, pipes = [], []
    if chance.random() < 0.3 and not last:
        fds = [chance.choice(files) for _ in range(chance.choice([1, 2, 3, 30]))]
        pipes = list(os.pipe())
        fds += pipes
    empty = extra == 0 and not fds and not last
    data = b'' if empty else encode(0, sequence, extra, last, [os.fstat(fd).st_ino for fd in fds])
    kind = EMPTY if empty else 0
    states.append(PENDING | kind)
    try:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
        s.sendmsg([data], ancillary)
        states[sequence] = SENT | kind
        return True
    except OSError as error:
        states[sequence] = UNSENT | kind
        # Too many descriptors are in messages that nothing has received yet.
        if error.errno == errno.ETOOMANYREFS: return True
        assert end['closes'] or (end['peerCloses'] and error.errno in (errno.EPIPE, errno.ECONNRESET)), error
        return False
    finally:
        for fd in pipes: os.close(fd)

thread_faults = []

def send_all():
    try: send_each()
    except BaseException as fault:
        thread_faults.append(repr(fault))
        s.shutdown(socket.SHUT_RDWR)

def send_each():
    for _ in range(end['messages']):
        size = chance.random()
        extra = 0 if size < 0.03 else chance.randrange(300) if size < 0.8 else chance.randrange(100000)
        if closing or not send(extra): return
    if end['closes'] or not send(chance.randrange(300), True): return
    try: s.shutdown(socket.SHUT_WR)
    except OSError as error: assert end['peerCloses'] and error.errno == errno.ENOTCONN, error

s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.setsockopt(socket.SOL_SOCKET, 29, 1) # SO_TIMESTAMP tells empty messages from the end of file
s.connect(end['path'])
s.send(b'hello %d' % connection)
sending = threading.Thread(target=send_all)
sending.start()
until = time.monotonic() + chance.random() * 0.2 if end['closes'] else None
ended, said_last, reset, last_sequence = 0, False, False, -1
while until is None or time.monotonic() < until:
    if until is not None: s.settimeout(0.01)
    try:
        data, control, flags, _ = s.recvmsg(LONGEST, 4096)
    except TimeoutError:
        continue
    except ConnectionResetError:
        assert not reset, 'a second reset'
        reset = True
        continue
    if not data and not control:
        ended = 1
        break
    assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC), 'cut'
    assert not said_last, 'a message after the last one'
    fds = array.array('i')
    for level, kind, value in control:
        if kind == socket.SCM_RIGHTS and level == socket.SOL_SOCKET: fds.frombytes(value)
    if data:
        sequence, said_last = decode(data, fds)
        assert sequence > last_sequence, ('order', sequence, last_sequence)
        last_sequence = sequence
        received.append(sequence)
    else: received.append(-1)
    for fd in fds: os.close(fd)
    if chance.random() < 0.02: time.sleep(chance.random() * 0.005)
closing = end['closes']
if end['closes']: s.settimeout(0.01)
sending.join()
assert not thread_faults, thread_faults
s.close()
print(json.dumps({'states': states, 'received': received, 'ended': ended}))
`;

/** @returns what it has sent and received; throws if it found a fault */
export async function runPython(end: PythonEnd): Promise<Account> {
  const python = spawn('python3', ['-I', '-S', '-X', 'utf8', '-c', SCRIPT, JSON.stringify(end)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: unsanitizedEnvironment(),
  });
  let output = '';
  let errors = '';
  python.stdout.on('data', (chunk) => {
    output += chunk;
  });
  python.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const code = await new Promise((resolve, reject) => {
    python.once('error', reject);
    python.once('close', resolve);
  });
  if (code !== 0) throw new Error(`Python ended with ${code}: ${errors}`);
  const { states, received, ended } = JSON.parse(output);
  return {
    states: Uint8Array.from(states),
    received: Int32Array.from(received),
    numbers: Int32Array.of(states.length, received.length, ended),
  };
}
