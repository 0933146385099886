import fc from 'fast-check';
import type { SeqpacketSocket } from 'seqpacket';
import { socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { failed } from '../expected/outcome.js';

/** Arguments that are wrong: thrown at once, whatever the state, and nothing happens. */
export const WRONG: readonly [code: string, call: (real: SeqpacketSocket, fd: number) => unknown][] = [
  ['ERR_INVALID_ARG_TYPE', (real) => real.send(5 as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.receive([Buffer.alloc(1), 1] as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.receive(Array(2).fill(Buffer.alloc(1)))],
  ['ERR_INVALID_ARG_VALUE', (real) => real.wait('all' as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.sendWithFds(Buffer.alloc(1), ['0'] as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.receive(Buffer.alloc(1), { signal: 'now' } as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.assign(0 as never)],
  ['ERR_OUT_OF_RANGE', (real, fd) => real.sendWithFds(Buffer.alloc(1), Array(254).fill(fd))],
  ['ERR_OUT_OF_RANGE', (real) => real.receiveWithFds(Buffer.alloc(1), 254)],
  ['ERR_OUT_OF_RANGE', (real) => real.receive(Buffer.alloc(1), { flags: -1 })],
  ['ERR_INVALID_ARG_VALUE', (real) => real.shutdown('all' as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.connect('a\0b')],
  ['ERR_INVALID_ARG_VALUE', (real) => real.bind('')],
  ['ERR_INVALID_ARG_VALUE', (real) => real.setOption('remoteCredentials' as never, 1 as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.getOption('linger' as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.ioControl('bytesWritable' as never)],
];

export const wrongArgument = command(
  'a wrong argument',
  2,
  { at: socket, which: fc.nat(WRONG.length - 1) },
  async (world, { at, which }) => {
    const { real } = world.sockets[at]!;
    const [code, call] = WRONG[which]!;
    await world.agree(
      () => call(real, 0),
      () => failed(code),
    );
  },
);
