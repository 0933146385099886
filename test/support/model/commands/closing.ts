import fc from 'fast-check';
import { SeqpacketSocket } from 'seqpacket';
import { descriptor, isFree, ownOf } from '../arguments/own-descriptors.js';
import { socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { done } from '../expected/outcome.js';
import { assignError, closeBy, moveTo, releaseEndpoint } from './endpoint-ownership.js';

export const shutdown = command(
  'shutdown',
  2,
  { at: socket, what: fc.constantFrom('receive' as const, 'send' as const, 'both' as const) },
  async (world, { at, what }) => {
    const { real, model } = world.sockets[at]!;
    await world.agree(
      () => real.shutdown(what),
      () => done(model.shutdown(what)),
    );
    world.keepAllReceived();
  },
);

export const closeSocket = command(
  'close',
  2,
  { at: socket, how: fc.constantFrom('close', 'dispose', 'asyncDispose') },
  async (world, { at, how }) => {
    const { real, model } = world.ends[at]!;
    await world.agree(
      () => closeBy(real, how),
      () => done(void model.close()),
    );
  },
);

export const releaseSocket = command('release', 3, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  await releaseEndpoint(world, real, model);
});

export const assignSocket = command(
  'assign',
  6,
  { at: socket, own: descriptor, isNew: fc.boolean() },
  async (world, { at, own, isNew }) => {
    const slot = world.sockets[at]!;
    const { model } = slot;
    const source = ownOf(world, own);
    const error = assignError(source, model.session !== undefined, false);
    await world.agree(
      () => {
        if (isNew && model.session === undefined) slot.real = new SeqpacketSocket(source.real);
        else slot.real.assign(source.real);
      },
      () => done(error),
    );
    if (error === undefined) moveTo(model, source);
  },
  (world, { own }) => isFree(world, ownOf(world, own)),
);
