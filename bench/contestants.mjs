// The contestants, the commands of their programs, and the reasons why some cannot be started.
import { fileURLToPath } from 'node:url';
import { compileGo, goPeer, installPeers, limit, missing } from './prepare.mjs';

const file = (name) => fileURLToPath(new URL(`peers/${name}`, import.meta.url));
const inC = (kind) => (role) => [limit, kind, role];
const inNode = (name) => (role) => [
  process.execPath,
  '--expose-gc',
  ...flags(role),
  file(`${name}.mjs`),
  role,
];
/** Where memory is weighed, the young generation does not grow: it would count as the connections' memory. */
const flags = (role) => (role.startsWith('idle') ? ['--max-semi-space-size=1'] : []);

/** This package, after both ends have called `shareMemory`. */
function shared(title, command) {
  return { title: `**seqpacket**, ${title}`, command, variants: ['shared-memory'], warmsUp: true };
}

/**
 * `command(role)` is how a role is played, up to the arguments that measure.mjs adds, and `variants` the last of
 * those; `startsServer` says that the client starts the server itself, `warmsUp` that it compiles while it runs.
 */
export const contestants = {
  'c-epoll': { title: 'C, epoll loop', command: inC('epoll') },
  'c-blocking': { title: 'C, blocking send/recv', command: inC('blocking') },
  'c-batches': { title: 'C, sendmmsg/recvmmsg of 64', command: inC('batches') },
  c: { title: 'C', command: (role) => [limit, ...role.split(' ')] },
  seqpacket: { title: '**seqpacket**', command: inNode('seqpacket'), warmsUp: true },
  'seqpacket-batches': {
    title: '**seqpacket**, sendMany/receiveMany',
    command: (role) => inNode('seqpacket')(`${role}-batches`),
    warmsUp: true,
  },
  'seqpacket-batch': {
    title: '**seqpacket**, sendBatch/receiveBatch',
    command: (role) => inNode('seqpacket')(`${role}-batch`),
    warmsUp: true,
  },
  'seqpacket-iterator': {
    title: '**seqpacket**, sendMany/async iterator',
    command: (role) => inNode('seqpacket')(role === 'flood' ? 'flood-batches' : `${role}-iterator`),
    warmsUp: true,
  },
  'seqpacket-receive': {
    title: '**seqpacket**, receiveMessage',
    command: (role) => inNode('seqpacket')(`${role}-receive`),
    warmsUp: true,
  },
  'seqpacket-blocking': {
    title: '**seqpacket**, blocking calls',
    command: inNode('blocking'),
    warmsUp: true,
  },
  'seqpacket-blocking-batches': {
    title: '**seqpacket**, sendManySync/receiveManySync',
    command: (role) => inNode('blocking')(`${role}-batches`),
    warmsUp: true,
  },
  pending: { title: '**seqpacket**', command: inNode('pending') },
  'seqpacket-busy-poll': {
    title: '**seqpacket**, busyPoll 50 µs',
    command: inNode('seqpacket'),
    variants: ['busy-poll'],
    warmsUp: true,
  },
  shared: shared('shared memory', inNode('seqpacket')),
  'shared-busy-poll': {
    ...shared('shared memory, busyPoll 50 µs', inNode('seqpacket')),
    variants: ['shared-memory', 'busy-poll'],
  },
  'shared-receive': shared('shared memory, send/receiveMessage', (role) =>
    inNode('seqpacket')(role === 'sink' ? 'sink-receive' : role),
  ),
  'shared-batches': shared('shared memory, sendMany/receiveMany', (role) =>
    inNode('seqpacket')(`${role}-batches`),
  ),
  'shared-batch': shared('shared memory, sendBatch/receiveBatch', (role) =>
    inNode('seqpacket')(`${role}-batch`),
  ),
  'shared-lent': shared('shared memory, lease/borrow', (role) => inNode('seqpacket')(`${role}-lent`)),
  floor: { title: 'Node.js, system calls in callbacks', command: inNode('floor'), warmsUp: true },
  'floor-promises': {
    title: 'Node.js, system calls in promises',
    command: inNode('floor'),
    variants: ['promises'],
    warmsUp: true,
  },
  'floor-batch': {
    title: 'Node.js, sendmmsg/recvmmsg in promises',
    command: (role) => inNode('floor-calls')(`${role}-batch`),
    warmsUp: true,
  },
  'floor-calls': {
    title: 'Node.js, system calls in promises',
    command: inNode('floor-calls'),
    warmsUp: true,
  },
  'floor-blocking': {
    title: 'Node.js, blocking system calls',
    command: inNode('floor'),
    variants: ['blocking'],
    warmsUp: true,
  },
  net: { title: 'node:net, length-prefixed', command: inNode('net'), warmsUp: true },
  /** With room for thousands of messages in the process, which one system call then sends. */
  'net-large-queue': {
    title: 'node:net, highWaterMark 1 MiB',
    command: inNode('net'),
    variants: ['large-queue'],
    warmsUp: true,
  },
  'node-unix-socket': { title: 'node-unix-socket', command: inNode('node-unix-socket'), warmsUp: true },
  zeromq: { title: 'zeromq.js, ipc', command: inNode('zeromq'), warmsUp: true },
  'child-process': {
    title: 'child_process IPC',
    command: inNode('child-process'),
    startsServer: true,
    warmsUp: true,
  },
  fs: { title: 'fs.readSync/writeSync, same socket', command: inNode('fs'), warmsUp: true },
  synckit: { title: 'synckit', command: inNode('synckit'), startsServer: true, warmsUp: true },
  'sync-child-process': {
    title: 'sync-child-process',
    command: inNode('sync-child-process'),
    startsServer: true,
    warmsUp: true,
  },
  python: { title: 'python3', command: (role) => ['python3', '-I', '-S', file('peer.py'), role] },
  go: { title: 'Go, unixpacket', command: (role) => [goPeer, role] },
};

/** Makes all contestants ready. @returns for each that cannot take part the reason why not */
export function absentees() {
  const reasons = { python: missing('python3'), go: compileGo(), ...installPeers() };
  return Object.fromEntries(Object.entries(reasons).filter(([, reason]) => reason !== undefined));
}
