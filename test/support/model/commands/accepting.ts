import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import fc from 'fast-check';
import { listen, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import { given } from '../arguments/options.js';
import { descriptor, isFree, ownOf } from '../arguments/own-descriptors.js';
import { abortedBefore, operate, signal, signalOf } from '../arguments/signals.js';
import { acceptor, backlog, emptyMessages, path } from '../arguments/subjects.js';
import { command } from '../command.js';
import { AcceptorModel } from '../expected/acceptor-model.js';
import { Accept } from '../expected/connecting.js';
import { isAbstract, type KernelSocket } from '../expected/kernel.js';
import { done, failed, outcomeOf } from '../expected/outcome.js';
import { drained } from '../real/settling.js';
import { assignError, closeBy, moveTo, releaseEndpoint } from './endpoint-ownership.js';

export const openAcceptor = command('acceptor.open', 1, { at: acceptor }, async (world, { at }) => {
  const { real, model } = world.acceptors[at]!;
  await world.agree(
    () => real.open(),
    () => done(model.open()),
  );
});

export const bindAcceptor = command(
  'acceptor.bind',
  2,
  { at: acceptor, path },
  async (world, { at, path }) => {
    const { real, model } = world.acceptors[at]!;
    await world.agree(
      () => real.bind(path),
      () => done(model.bind(path)),
    );
  },
);

export const listenOnAcceptor = command(
  'acceptor.listen',
  2,
  { at: acceptor, backlog },
  async (world, { at, backlog }) => {
    const { real, model } = world.acceptors[at]!;
    await world.agree(
      () => real.listen(backlog),
      () => done(model.listen(backlog)),
    );
  },
);

export const accept = command('accept', 7, { at: acceptor, signal }, async (world, { at, signal }) => {
  const { real, model } = world.acceptors[at]!;
  const abort = signalOf(world, signal);
  const ticket = await world.start(
    () => real.accept(given({ signal: abort })),
    (result) => (result instanceof SeqpacketSocket ? 'a socket' : result),
  );
  const refused = model.socket === undefined ? 'accept4 EBADF' : abortedBefore(abort);
  operate(refused, ticket, () => {
    const accepted = (kernel: KernelSocket) => world.accepted(model, kernel, ticket);
    model.accepts.start(new Accept(model, accepted, ticket, abort));
  });
});

export const cancelAcceptor = command('acceptor.cancel', 1, { at: acceptor }, async (world, { at }) => {
  const { real, model } = world.acceptors[at]!;
  await world.agree(
    () => real.cancel(),
    () => done(void model.accepts.cancel()),
  );
});

export const closeAcceptor = command(
  'acceptor.close',
  2,
  { at: acceptor, how: fc.constantFrom('close', 'dispose', 'asyncDispose') },
  async (world, { at, how }) => {
    const { real, model } = world.acceptors[at]!;
    await world.agree(
      () => closeBy(real, how),
      () => done(void model.close()),
    );
  },
);

export const releaseAcceptor = command('acceptor.release', 1, { at: acceptor }, async (world, { at }) => {
  const { real, model } = world.acceptors[at]!;
  await releaseEndpoint(world, real, model);
});

export const assignAcceptor = command(
  'acceptor.assign',
  3,
  { at: acceptor, own: descriptor, isNew: fc.boolean() },
  async (world, { at, own, isNew }) => {
    const slot = world.acceptors[at]!;
    const { model } = slot;
    const source = ownOf(world, own);
    const error = assignError(source, model.socket !== undefined, true);
    await world.agree(
      () => {
        if (isNew && model.socket === undefined) slot.real = new SeqpacketAcceptor(source.real);
        else slot.real.assign(source.real);
      },
      () => done(error),
    );
    if (error === undefined) moveTo(model, source);
  },
  (world, { own }) => isFree(world, ownOf(world, own)),
);

export const acceptorOptions = command(
  'acceptor options',
  1,
  { at: acceptor, value: fc.boolean() },
  async (world, { at, value }) => {
    const { real, model } = world.acceptors[at]!;
    await world.agree(
      () => real.setOption('enableConnectionAborted', value),
      () => {
        if (model.socket === undefined) return failed('setsockopt EBADF');
        model.reportsAborted = value;
        return done(undefined);
      },
    );
    const actual = outcomeOf(() => [real.getOption('enableConnectionAborted'), real.getOption('debug')]);
    const expected = { value: [model.reportsAborted, false] };
    assert.deepEqual(actual, model.socket === undefined ? failed('getsockopt EBADF') : expected);
  },
);

/** Modes that the usual umask does not restrict. */
export const mode = fc.constantFrom(undefined, 0o600, 0o700);

export const listenAtPath = command(
  'listen',
  3,
  { at: acceptor, path, backlog, mode, emptyMessages, reclaim: fc.boolean() },
  async (world, { at, path, backlog, mode, emptyMessages, reclaim }) => {
    const slot = world.acceptors[at]!;
    slot.real.close();
    await drained();
    slot.model.close();
    slot.model = new AcceptorModel(world.kernel);
    const fileMode = isAbstract(path) ? undefined : mode;
    await world.agree(
      () => {
        slot.real = listen(path, { backlog, mode: fileMode, emptyMessages, reclaim });
      },
      () => done(slot.model.listenAt(path, backlog, reclaim)),
    );
    if (slot.model.socket === undefined) return;
    slot.model.emptyMessages = emptyMessages;
    if (fileMode !== undefined) assert.equal(statSync(path).mode & 0o777, fileMode);
  },
);
