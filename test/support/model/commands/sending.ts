import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MessageBatch, MessageFlag, type SignalOption } from 'seqpacket';
import { lengths, split } from '../arguments/buffers.js';
import { sendFlags } from '../arguments/flags.js';
import { given } from '../arguments/options.js';
import { sources, sourcesOf } from '../arguments/sent-descriptors.js';
import { abortedBefore, operate, signal, signalOf } from '../arguments/signals.js';
import { socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { total } from '../expected/message.js';
import { Ticket } from '../expected/operation.js';
import { failed, outcomeOf } from '../expected/outcome.js';
import { Send, SendMany } from '../expected/sending.js';
import type { End } from '../real/world.js';

export const send = command(
  'send',
  14,
  { at: socket, lengths, flags: sendFlags, signal },
  async (world, { at, lengths, flags, signal }) => {
    const { real, model } = world.ends[at]!;
    const abort = signalOf(world, signal);
    const data = world.message(total(lengths));
    const ticket = await world.start(() => real.send(split(data, lengths), given({ flags, signal: abort })));
    const refused = model.session === undefined ? 'sendmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      const message = { data, files: [] };
      model.sends.start(new Send(model, message, world.sendFlags(flags), ticket, abort));
    });
  },
  (world, { at, lengths }) => !world.isUntellable(world.ends[at]!.model, [total(lengths)]),
);

export const sendWithFds = command(
  'sendWithFds',
  8,
  { at: socket, lengths, sources, flags: sendFlags, signal },
  async (world, { at, lengths, sources, flags, signal }) => {
    const { real, model } = world.ends[at]!;
    const abort = signalOf(world, signal);
    const data = world.message(total(lengths));
    const sent = sourcesOf(world, sources);
    const fds = sent.map(({ source }) => source);
    const ticket = await world.start(() =>
      real.sendWithFds(split(data, lengths), fds, given({ flags, signal: abort })),
    );
    const refused = model.session === undefined ? 'sendmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      const message = { data, files: sent.map(({ file }) => file) };
      model.sends.start(new Send(model, message, world.sendFlags(flags), ticket, abort));
    });
  },
  (world, { at, lengths }) => !world.isUntellable(world.ends[at]!.model, [total(lengths)]),
);

export const manyLengths = fc.oneof(
  { withCrossShrink: true },
  { weight: 3, arbitrary: fc.array(fc.constantFrom([0], [1], [5]), { maxLength: 6 }) },
  { weight: 4, arbitrary: fc.array(lengths, { maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant(Array.from({ length: 70 }, () => [1])) },
);

/** Several messages at once, by any of the calls for that. */
function sendingSeveral(
  name: string,
  call: (
    real: End,
    data: readonly Buffer[],
    manyLengths: readonly (readonly number[])[],
    options: SignalOption | undefined,
  ) => Promise<number>,
) {
  return command(
    name,
    6,
    { at: socket, manyLengths, signal },
    async (world, { at, manyLengths, signal }) => {
      const { real, model } = world.ends[at]!;
      const abort = signalOf(world, signal);
      const data = manyLengths.map((each) => world.message(total(each)));
      const options = given({ signal: abort });
      const ticket = await world.start(() => call(real, data, manyLengths, options));
      const refused = model.session === undefined ? 'sendmsg EBADF' : abortedBefore(abort);
      operate(refused && `${refused} after 0`, ticket, () => {
        const messages = data.map((each) => ({ data: each, files: [] }));
        const totalSent = () => real.counters.messagesSent;
        model.sends.start(new SendMany(model, messages, totalSent, ticket, abort));
      });
    },
    (world, { at, manyLengths }) => !world.isUntellable(world.ends[at]!.model, manyLengths.map(total)),
  );
}

export const sendMany = sendingSeveral('sendMany', (real, data, manyLengths, options) => {
  const parts = data.map((each, index) => split(each, manyLengths[index]!));
  return real.sendMany(parts, options);
});

export const sendBatch = sendingSeveral('sendBatch', (real, data, _, options) => {
  const bytes = Math.max(1, ...data.map((each) => each.length));
  const batch = new MessageBatch({ messages: Math.max(1, data.length), bytes });
  for (const each of data) batch.push(each);
  return real.sendBatch(batch, options);
});

export const trySend = command(
  'trySend',
  5,
  { at: socket, lengths, sources },
  async (world, { at, lengths, sources }) => {
    const { real, model } = world.ends[at]!;
    const data = world.message(total(lengths));
    const sent = sourcesOf(world, sources);
    const fds = sent.map(({ source }) => source);
    const outcome = outcomeOf(() => real.trySend(split(data, lengths), fds));
    const files = sent.map(({ file }) => file);
    const expected = () => {
      if (model.session === undefined) return failed('sendmsg EBADF');
      if (model.sends.waiting.length > 0) return { value: false };
      const ticket = new Ticket();
      const isFull = 'value' in outcome && outcome.value === false;
      ticket.outcome = isFull ? failed('sendmsg EAGAIN') : outcome;
      const sending = new Send(model, { data, files }, MessageFlag.dontWait, ticket).attempt();
      if (isFull) return sending === ticket.outcome ? outcome : sending;
      return sending !== undefined && 'value' in sending ? { value: true } : sending;
    };
    assert.deepEqual(outcome, expected());
  },
);
