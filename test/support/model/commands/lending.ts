/** Memory of a channel that is lent: leases, for sending, and borrowed messages. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Borrowed, Lease } from 'seqpacket';
import { length } from '../arguments/buffers.js';
import { given } from '../arguments/options.js';
import { abortedBefore, operate, signal, signalOf } from '../arguments/signals.js';
import { socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { digest } from '../expected/message.js';
import { failed, isError, type Outcome, outcomeOf } from '../expected/outcome.js';
import { Borrow } from '../expected/receiving.js';
import { type ChannelWorld, channelEnd, checkBorrowed } from '../real/channel-world.js';
import { drained } from '../real/settling.js';

export const lease = command(
  'lease',
  5,
  { at: socket, length },
  async (world: ChannelWorld, { at, length }) => {
    const { real, model } = world.channels[at]!;
    const data = world.message(length);
    let leased: Lease | undefined;
    const outcome = outcomeOf(() => {
      leased = real.lease(length);
      data.copy(leased.data);
      return leased.data.length;
    });
    await drained();
    assert.deepEqual(outcome, expected());
    if (leased === undefined) return;
    channelEnd(model)!.lease(length);
    world.leases.push({ model, real: leased, data, isEnded: false });

    function expected(): Outcome {
      const kernel = channelEnd(model);
      if (kernel === undefined) return failed('sendmsg EBADF');
      const noRoom = failed('sendmsg EAGAIN');
      if (model.sends.waiting.length > 0) return noRoom;
      const message = { data, files: [] };
      const isSaid = (error: string) => isError(outcome, error);
      const error = kernel.sendError(message, isSaid);
      // That the peer was closed may be unknown.
      const mayBeUnknown = error === 'EPIPE' && !kernel.endedSending && data.length <= kernel.longest;
      if (error !== undefined && !(mayBeUnknown && !isSaid('sendmsg EPIPE'))) {
        return failed(`sendmsg ${error}`);
      }
      const hasRoom = mayBeUnknown ? undefined : kernel.roomFor(message);
      const isRefused = hasRoom === false || (hasRoom === undefined && isSaid('sendmsg EAGAIN'));
      return isRefused || kernel.isLeased ? noRoom : { value: length };
    }
  },
);

export const endLease = command(
  'lease ends',
  8,
  { which: fc.nat(3), how: fc.constantFrom('send', 'send', 'send a part', 'cancel', 'dispose') },
  async (world: ChannelWorld, { which, how }) => {
    const leased = world.leases[which % world.leases.length]!;
    const { real, model, data } = leased;
    const kernel = channelEnd(model);
    const isValid = kernel?.isLeased === true && !leased.isEnded;
    assert.equal(digest(real.data), digest(isValid ? data : Buffer.alloc(0)), 'leased');
    const bytes = how === 'send a part' && isValid ? data.length >> 1 : undefined;
    const outcome = outcomeOf(() => {
      if (how === 'cancel') real.cancel();
      else if (how === 'dispose') real[Symbol.dispose]();
      else return real.send(bytes);
      return undefined;
    });
    await drained();
    assert.deepEqual(outcome, expected());
    assert.equal(real.data.length, 0);
    leased.isEnded = true;
    // Sometimes it is ended once more.
    if (how !== 'send a part') world.leases = world.leases.filter((each) => each !== leased);
    if (!isValid) return;
    while (model.sends.serveFirst());
    model.sends.retry();

    function expected(): Outcome {
      const isSent = how.startsWith('send');
      if (!isValid) return isSent ? failed('ERR_INVALID_STATE') : { value: undefined };
      if (!isSent) {
        kernel.cancelLease();
        return { value: undefined };
      }
      const sent = data.subarray(0, bytes);
      const error = kernel.sendLeased(sent);
      if (error !== undefined) return failed(`sendmsg ${error}`);
      const { counters } = model.session!;
      counters.messagesSent++;
      counters.bytesSent += sent.length;
      return { value: sent.length };
    }
  },
  (world) => world.leases.length > 0,
);

export const borrow = command(
  'borrow',
  8,
  { at: socket, signal },
  async (world: ChannelWorld, { at, signal }) => {
    const { real, model } = world.channels[at]!;
    const abort = signalOf(world, signal);
    const ticket = await world.start(
      () => real.borrow(given({ signal: abort })),
      (borrowed) => {
        const { data } = borrowed as Borrowed;
        return { bytesRead: data.length, data: digest(data), isRestUntouched: true };
      },
    );
    const kernel = channelEnd(model);
    const refused = kernel === undefined ? 'recvmsg EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      const borrow = new Borrow(model, ticket, abort, (lent) => {
        world.borrowed.push({ kernel: kernel!, real: ticket.result as Borrowed, lent });
      });
      model.receives.start(borrow);
    });
  },
);

export const release = command(
  'release',
  10,
  { which: fc.nat(5), disposes: fc.boolean() },
  async (world: ChannelWorld, { which, disposes }) => {
    const borrowed = world.borrowed[which % world.borrowed.length]!;
    checkBorrowed(borrowed);
    const { real, kernel, lent } = borrowed;
    if (disposes) real[Symbol.dispose]();
    else real.release();
    assert.equal(real.data.length, 0);
    if (kernel.state !== 'dead') kernel.release(lent);
    world.borrowed = world.borrowed.filter((each) => each !== borrowed);
  },
  (world) => world.borrowed.length > 0,
);
