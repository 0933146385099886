/** Blocking calls. Their timeouts are short, because no other operation is done while this thread sleeps. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { connectSync as connectBlocking, SeqpacketSocket } from 'seqpacket';
import { lengths, Room, rooms, split, view } from '../arguments/buffers.js';
import { receiveFlags, sendFlags } from '../arguments/flags.js';
import { sources, sourcesOf } from '../arguments/sent-descriptors.js';
import { acceptor, emptyMessages, path, socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { Accept } from '../expected/connecting.js';
import { total } from '../expected/message.js';
import { type Operation, Ticket } from '../expected/operation.js';
import type { OperationQueue } from '../expected/operation-queue.js';
import { done, failed, type Outcome, outcomeOf } from '../expected/outcome.js';
import { Receive, ReceiveMany } from '../expected/receiving.js';
import { Send, SendMany } from '../expected/sending.js';
import { SocketModel } from '../expected/socket-model.js';
import { contentsOfMessage } from '../real/received-contents.js';
import { drained } from '../real/settling.js';
import { hasSplittingWaiting } from '../real/waiting-messages.js';
import type { World } from '../real/world.js';
import { maxFds, most } from './receiving.js';
import { manyLengths } from './sending.js';

const timeout = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2));

/**
 * Compares the outcome of a call with that of the model: EBUSY behind operations that wait, ETIMEDOUT in place of
 * waiting.
 */
function compare(outcome: Outcome, isOpen: boolean, queue: OperationQueue, operation: Operation): void {
  assert.deepEqual(outcome, expected());

  function expected(): Outcome {
    const { syscall, suffix, ticket } = operation;
    if (!isOpen) return failed(`${syscall} EBADF${suffix}`);
    if (queue.waiting.length > 0 || operation.isHeldUp) return failed(`${syscall} EBUSY${suffix}`);
    // The model learns from the outcome how many were sent, and then whether there was no room.
    ticket.outcome = outcome;
    while (operation.advance());
    if ('error' in outcome) ticket.outcome = failed(outcome.error.replace('ETIMEDOUT', 'EAGAIN'));
    return operation.attempt() ?? failed(`${syscall} ETIMEDOUT${operation.suffix}`);
  }
}

export const receiveSync = command(
  'receiveSync',
  5,
  { at: socket, rooms, view, flags: receiveFlags, timeout },
  async (world, { at, rooms, view, flags, timeout }) => {
    const { real, model } = world.sockets[at]!;
    const room = new Room(rooms, view);
    const outcome = outcomeOf(() => room.contents(real.receiveSync(room.argument, { flags, timeout })));
    await drained();
    const operation = new Receive(model, room.size, undefined, flags, new Ticket());
    compare(outcome, model.session !== undefined, model.receives, operation);
  },
);

export const receiveMessageSync = command(
  'receiveMessageSync',
  4,
  { at: socket, maxFds, timeout },
  async (world, { at, maxFds, timeout }) => {
    const { real, model } = world.ends[at]!;
    const call = world.completed(
      () => real.receiveMessageSync({ maxFds, timeout }),
      (message) => contentsOfMessage(world, message),
    );
    await drained();
    const operation = new Receive(model, Number.POSITIVE_INFINITY, maxFds, 0, new Ticket());
    compare(call.outcome!, model.session !== undefined, model.receives, operation);
    world.keepReceived(call);
  },
);

export const receiveManySync = command(
  'receiveManySync',
  3,
  { at: socket, max: most, timeout },
  async (world, { at, max, timeout }) => {
    const { real, model } = world.sockets[at]!;
    const outcome = outcomeOf(() =>
      real.receiveManySync({ max, timeout }).map((data) => world.noteMade(data)),
    );
    await drained();
    const operation = new ReceiveMany(model, max, new Ticket(), undefined);
    compare(outcome, model.session !== undefined, model.receives, operation);
  },
  (world, { at }) => !hasSplittingWaiting(world, world.sockets[at]!.model),
);

export const sendSync = command(
  'sendSync',
  5,
  { at: socket, lengths, sources, flags: sendFlags, timeout },
  async (world, { at, lengths, sources, flags, timeout }) => {
    const { real, model } = world.ends[at]!;
    const data = world.message(total(lengths));
    const sent = sourcesOf(world, sources);
    const fds = sent.map(({ source }) => source);
    const outcome = outcomeOf(() => real.sendSync(split(data, lengths), { fds, flags, timeout }));
    await drained();
    const files = sent.map(({ file }) => file);
    const operation = new Send(model, { data, files }, world.sendFlags(flags), new Ticket());
    compare(outcome, model.session !== undefined, model.sends, operation);
  },
  isTellable((world, { at, lengths }) => [world.ends[at]!.model, [total(lengths)]]),
);

export const sendManySync = command(
  'sendManySync',
  3,
  { at: socket, manyLengths, timeout },
  async (world, { at, manyLengths, timeout }) => {
    const { real, model } = world.sockets[at]!;
    const data = manyLengths.map((each) => world.message(total(each)));
    const parts = data.map((each, index) => split(each, manyLengths[index]!));
    const outcome = outcomeOf(() => real.sendManySync(parts, { timeout }));
    await drained();
    const messages = data.map((each) => ({ data: each, files: [] }));
    const operation = new SendMany(model, messages, () => 0, new Ticket(), undefined);
    compare(outcome, model.session !== undefined, model.sends, operation);
  },
  isTellable((world, { at, manyLengths }) => [world.sockets[at]!.model, manyLengths.map(total)]),
);

/** See `isUntellable`. */
function isTellable<Arguments>(of: (world: World, args: Arguments) => [SocketModel, number[]]) {
  return (world: World, args: Arguments) => !world.isUntellable(...of(world, args));
}

export const acceptSync = command(
  'acceptSync',
  4,
  { at: acceptor, timeout },
  async (world, { at, timeout }) => {
    const { real, model } = world.acceptors[at]!;
    const call = world.completed(
      () => real.acceptSync({ timeout }),
      () => 'a socket',
    );
    await drained();
    const operation = new Accept(
      model,
      (kernel) => world.accepted(model, kernel, call),
      new Ticket(),
      undefined,
    );
    compare(call.outcome!, model.socket !== undefined, model.accepts, operation);
  },
);

export const connectSync = command(
  'connectSync',
  4,
  { at: socket, path, emptyMessages, timeout },
  async (world, { at, path, emptyMessages, timeout }) => {
    const slot = world.sockets[at]!;
    slot.real.close();
    await drained();
    slot.model.close();
    slot.real = new SeqpacketSocket();
    slot.model = new SocketModel(world.kernel);
    await world.agree(
      () => {
        slot.real = connectBlocking(path, { emptyMessages, timeout });
      },
      () => {
        const { model } = slot;
        model.open();
        const error = world.kernel.connect(model.session!.kernel, path);
        if (error === undefined) model.session!.emptyMessages = emptyMessages;
        else model.close();
        return done(error && `connect ${error === 'EAGAIN' ? 'ETIMEDOUT' : error}`);
      },
    );
  },
);
