/** What only channels have, or have in another way. */
import fc from 'fast-check';
import type { SharedChannel } from 'seqpacket';
import { length } from '../arguments/buffers.js';
import { given } from '../arguments/options.js';
import { abortedBefore, operate, signal, signalOf } from '../arguments/signals.js';
import { socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { done, failed } from '../expected/outcome.js';
import { Receive } from '../expected/receiving.js';
import { Send } from '../expected/sending.js';
import { WaitForWriting } from '../expected/waiting.js';
import { type ChannelWorld, channelEnd } from '../real/channel-world.js';

export const shutdownOfChannel = command(
  'shutdown',
  2,
  { at: socket },
  async (world: ChannelWorld, { at }) => {
    const { real, model } = world.channels[at]!;
    await world.agree(
      () => real.shutdown('send'),
      () => done(model.shutdown('send')),
    );
  },
);

/** A message of the longest length, or one byte longer. */
export const sendLongest = command(
  'send of the longest',
  2,
  { at: socket, isTooLong: fc.boolean(), signal },
  async (world: ChannelWorld, { at, isTooLong, signal }) => {
    const { real, model } = world.channels[at]!;
    const abort = signalOf(world, signal);
    const data = world.message((channelEnd(model)?.longest ?? 0) + Number(isTooLong));
    const ticket = await world.start(() => real.send(data, given({ signal: abort })));
    const refused = model.session === undefined ? 'sendmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.sends.start(new Send(model, { data, files: [] }, 0, ticket, abort));
    });
  },
);

export const waitForRoom = command(
  'wait for room',
  4,
  { at: socket, length, signal },
  async (world: ChannelWorld, { at, length, signal }) => {
    const { real, model } = world.channels[at]!;
    const abort = signalOf(world, signal);
    const ticket = await world.start(() => real.wait('write', { bytes: length, signal: abort }));
    const refused = model.session === undefined ? 'poll EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => model.sends.start(new WaitForWriting(model, ticket, abort, length)));
  },
);

/** One message by an iterator of its own, whose end is that of the file. */
export const next = command('next', 4, { at: socket }, async (world: ChannelWorld, { at }) => {
  const { real, model } = world.channels[at]!;
  const ticket = await world.start(
    () => real[Symbol.asyncIterator]().next(),
    (result) => {
      const { done, value } = result as IteratorResult<Buffer>;
      if (done === true) throw Object.assign(new Error(), { code: 'EOF', syscall: 'recvmsg', errno: -4095 });
      return { bytesRead: value.length, data: world.noteMade(value), isRestUntouched: true };
    },
  );
  operate(model.session === undefined ? 'recvmsg EBADF' : undefined, ticket, () => {
    model.receives.start(new Receive(model, Number.POSITIVE_INFINITY, undefined, 0, ticket));
  });
});

/** Arguments that are wrong: thrown at once, whatever the state, and nothing happens. */
const WRONG: readonly [code: string, call: (real: SharedChannel) => unknown][] = [
  ['ERR_INVALID_ARG_TYPE', (real) => real.send(5 as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.receive([Buffer.alloc(1), 1] as never)],
  ['ERR_INVALID_ARG_VALUE', (real) => real.receive(Array(2).fill(Buffer.alloc(1)))],
  ['ERR_INVALID_ARG_VALUE', (real) => real.wait('all' as never)],
  ['ERR_OUT_OF_RANGE', (real) => real.wait('write', { bytes: -1 })],
  ['ERR_INVALID_ARG_TYPE', (real) => real.sendWithFds(Buffer.alloc(1), ['0'] as never)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.receive(Buffer.alloc(1), { signal: 'now' } as never)],
  ['ERR_OUT_OF_RANGE', (real) => real.sendWithFds(Buffer.alloc(1), Array(254).fill(0))],
  ['ERR_OUT_OF_RANGE', (real) => real.receiveWithFds(Buffer.alloc(1), 254)],
  ['ERR_OUT_OF_RANGE', (real) => real.receive(Buffer.alloc(1), { flags: -1 })],
  ['ERR_INVALID_ARG_VALUE', (real) => real.shutdown('both' as never)],
  ['ERR_OUT_OF_RANGE', (real) => real.lease(-1)],
  ['ERR_INVALID_ARG_TYPE', (real) => real.borrow({ signal: 1 as never })],
];

export const wrongArgumentOfChannel = command(
  'a wrong argument',
  2,
  { at: socket, which: fc.nat(WRONG.length - 1) },
  async (world: ChannelWorld, { at, which }) => {
    const { real } = world.channels[at]!;
    const [code, call] = WRONG[which]!;
    await world.agree(
      () => call(real),
      () => failed(code),
    );
  },
);
