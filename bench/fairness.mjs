// How late timers are while sockets are flooded: node bench/fairness.mjs [scenario …]
//
// One process floods, as a hostile peer would; this one receives in one style, and sets timers of 10 ms one after the
// other. What is printed is by how much they were late, in milliseconds.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen } from '../dist/index.mjs';

const SECONDS = Number(process.env.SECONDS ?? 4);

const FLOOD = `
import array, os, selectors, socket, sys
name, sockets, length, fds, buffer = sys.argv[1], *map(int, sys.argv[2:])
SO_SNDBUFFORCE = 32
data = b'x' * length
control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * fds))] if fds else []
all = []
for _ in range(sockets):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE if os.getuid() == 0 else socket.SO_SNDBUF, buffer)
    s.connect('\\0' + name)
    if sockets > 1: s.setblocking(False)
    all.append(s)
try:
    while True:
        for s in all:
            try:
                s.sendmsg([data], control)
            except BlockingIOError: pass
except OSError: pass
`;

const many = async (socket) => {
  for (;;) await socket.receiveMany();
};

const scenarios = {
  '253 descriptors, receiveMany': { fds: 253, receive: many },
  '253 descriptors, receiveMany, deliver': { fds: 253, receive: many, emptyMessages: 'deliver' },
  '253 descriptors, receiveMessage, wanted': {
    fds: 253,
    receive: async (socket) => {
      for (;;) for (const fd of (await socket.receiveMessage({ maxFds: 253 })).fds) fd.close();
    },
  },
  '253 descriptors, receive': {
    fds: 253,
    receive: async (socket, buffer = Buffer.alloc(64)) => {
      for (;;) await socket.receive(buffer);
    },
  },
  '30 kB, receiveMany, 4 MiB': { length: 30_000, buffer: 4 << 20, receive: many },
  '4 MB, receiveMessage': {
    length: 4_000_000,
    buffer: 16 << 20,
    receive: async (socket) => {
      for (;;) await socket.receiveMessage();
    },
  },
  '4 MB, iteration': {
    length: 4_000_000,
    buffer: 16 << 20,
    receive: async (socket) => {
      for await (const _ of socket);
    },
  },
  '4 MB, receive': {
    length: 4_000_000,
    buffer: 16 << 20,
    receive: async (socket, buffer = Buffer.alloc(4_000_000)) => {
      for (;;) await socket.receive(buffer);
    },
  },
  '64 B, receive': {
    receive: async (socket, buffer = Buffer.alloc(64)) => {
      for (;;) await socket.receive(buffer);
    },
  },
  '1,000 sockets, receive': {
    sockets: 1000,
    receive: async (socket, buffer = Buffer.alloc(64)) => {
      for (;;) await socket.receive(buffer);
    },
  },
  '1,000 sockets, receiveMany': { sockets: 1000, receive: many },
};

for (const [title, scenario] of Object.entries(scenarios)) {
  if (process.argv.length > 2 && !process.argv.slice(2).some((each) => title.includes(each))) continue;
  const { sockets = 1, length = 64, fds = 0, buffer = 212_992, receive, emptyMessages } = scenario;
  const name = `seqpacket-fairness-${process.pid}`;
  const acceptor = listen(`\0${name}`, { emptyMessages });
  const flood = spawn('python3', ['-c', FLOOD, name, sockets, length, fds, buffer], {
    stdio: ['ignore', 2, 2],
  });
  const accepted = [];
  for (let i = 0; i < sockets; i++) accepted.push(await acceptor.accept());
  const done = accepted.map((socket) => receive(socket).catch(() => {}));
  const late = [];
  const end = performance.now() + 1000 * SECONDS;
  await sleep(200);
  while (performance.now() < end) {
    const start = performance.now();
    await sleep(10);
    late.push(performance.now() - start - 10);
  }
  const messages = accepted.reduce((sum, socket) => sum + socket.counters.messagesReceived, 0);
  flood.kill('SIGKILL');
  for (const socket of accepted) socket.close();
  acceptor.close();
  await Promise.all(done);
  late.sort((a, b) => a - b);
  const at = (share) => late[Math.min(late.length - 1, Math.floor(share * late.length))].toFixed(1);
  const rate = Math.round(messages / SECONDS).toLocaleString('en');
  console.log(`${title.padEnd(42)} p50 ${at(0.5)}  p99 ${at(0.99)}  most ${at(1)}  ${rate} messages/s`);
}
process.exit();
