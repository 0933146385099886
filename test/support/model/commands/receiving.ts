import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Message, MessageBatch, type ReceivedWithFds } from 'seqpacket';
import { Room, rooms, view } from '../arguments/buffers.js';
import { receiveFlags } from '../arguments/flags.js';
import { given } from '../arguments/options.js';
import { abortedBefore, operate, signal, signalOf } from '../arguments/signals.js';
import { socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { digest } from '../expected/message.js';
import { Ticket } from '../expected/operation.js';
import { failed } from '../expected/outcome.js';
import { Receive, ReceiveBatch, ReceiveMany } from '../expected/receiving.js';
import { contentsOfMessage, contentsWithFds } from '../real/received-contents.js';
import { hasSplittingWaiting } from '../real/waiting-messages.js';

export const receive = command(
  'receive',
  16,
  { at: socket, rooms, view, flags: receiveFlags, signal },
  async (world, { at, rooms, view, flags, signal }) => {
    const { real, model } = world.ends[at]!;
    const abort = signalOf(world, signal);
    const room = new Room(rooms, view);
    const ticket = await world.start(
      () => real.receive(room.argument, given({ flags, signal: abort })),
      (bytesRead) => room.contents(bytesRead as number),
    );
    const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.receives.start(new Receive(model, room.size, undefined, flags, ticket, abort));
    });
  },
);

export const maxFds = fc.constantFrom(0, 1, 2, 3, 253);

export const receiveWithFds = command(
  'receiveWithFds',
  10,
  { at: socket, rooms, view, maxFds, flags: receiveFlags, signal },
  async (world, { at, rooms, view, maxFds, flags, signal }) => {
    const { real, model } = world.ends[at]!;
    const abort = signalOf(world, signal);
    const room = new Room(rooms, view);
    const ticket = await world.start(
      () => real.receiveWithFds(room.argument, maxFds, given({ flags, signal: abort })),
      (received) => contentsWithFds(room, received as ReceivedWithFds),
    );
    const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.receives.start(new Receive(model, room.size, maxFds, flags, ticket, abort));
    });
    world.keepReceived(ticket);
  },
);

export const receiveMessage = command(
  'receiveMessage',
  6,
  { at: socket, maxFds, signal },
  async (world, { at, maxFds, signal }) => {
    const { real, model } = world.ends[at]!;
    const abort = signalOf(world, signal);
    const ticket = await world.start(
      () => real.receiveMessage(given({ maxFds, signal: abort })),
      (message) => contentsOfMessage(world, message as Message),
    );
    const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.receives.start(new Receive(model, Number.POSITIVE_INFINITY, maxFds, 0, ticket, abort));
    });
    world.keepReceived(ticket);
  },
);

export const most = fc.constantFrom(1, 2, 64, 1000);

export const receiveMany = command(
  'receiveMany',
  5,
  { at: socket, max: most, signal },
  async (world, { at, max, signal }) => {
    const { real, model } = world.ends[at]!;
    const abort = signalOf(world, signal);
    const ticket = await world.start(
      () => real.receiveMany(given({ max, signal: abort })),
      (messages) => (messages as Buffer[]).map((data) => world.noteMade(data)),
    );
    const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.receives.start(new ReceiveMany(model, max, ticket, abort));
    });
  },
  (world, { at }) => !hasSplittingWaiting(world, world.ends[at]!.model),
);

const slot = fc.constantFrom(1, 5, 1500, 20_000);

export const receiveBatch = command(
  'receiveBatch',
  5,
  { at: socket, max: most, slot, signal },
  async (world, { at, max, slot, signal }) => {
    const { real, model } = world.ends[at]!;
    const abort = signalOf(world, signal);
    const batch = new MessageBatch({ messages: max, bytes: slot });
    const ticket = await world.start(
      () => real.receiveBatch(batch, given({ signal: abort })),
      (count) => {
        assert.equal(count, batch.length);
        return [...batch].map(digest);
      },
    );
    const refused = model.session === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      model.receives.start(new ReceiveBatch(model, max, slot, ticket, abort));
    });
  },
  (world, { at, slot }) => !hasSplittingWaiting(world, world.ends[at]!.model, slot),
);

export const tryReceive = command(
  'tryReceive',
  4,
  { at: socket, rooms, view },
  async (world, { at, rooms, view }) => {
    const { real, model } = world.ends[at]!;
    const room = new Room(rooms, view);
    await world.agree(
      () => {
        const bytesRead = real.tryReceive(room.argument);
        return bytesRead === null ? null : room.contents(bytesRead);
      },
      () => {
        if (model.session === undefined) return failed('recvmsg EBADF');
        if (model.receives.waiting.length > 0) return { value: null };
        const outcome = new Receive(model, room.size, undefined, 0, new Ticket()).attempt();
        return outcome ?? { value: null };
      },
    );
  },
);
