import fc from 'fast-check';
import { given } from '../arguments/options.js';
import { abortedBefore, operate, signal, signalOf } from '../arguments/signals.js';
import { path, socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { Connect } from '../expected/connecting.js';
import { done, failed } from '../expected/outcome.js';
import { drained } from '../real/settling.js';

export const pair = command(
  'pair',
  4,
  { one: socket, other: socket, areSmall: fc.boolean() },
  async (world, { one, other, areSmall }) => {
    for (const index of [one, other]) {
      const { real, model } = world.ends[index]!;
      real.close();
      await drained();
      model.close();
    }
    await world.connectPair(one, other, areSmall);
  },
  (_, { one, other }) => one !== other,
);

export const openSocket = command('open', 2, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  await world.agree(
    () => real.open(),
    () => done(model.open()),
  );
});

export const bindSocket = command('bind', 2, { at: socket, path }, async (world, { at, path }) => {
  const { real, model } = world.sockets[at]!;
  await world.agree(
    () => real.bind(path),
    () => done(model.bind(path)),
  );
});

export const connect = command(
  'connect',
  5,
  { at: fc.oneof(socket, fc.constant('idle' as const)), path, signal },
  async (world, { at, path, signal }) => {
    const isIdle = ({ model }: (typeof world.sockets)[number]) =>
      model.connects.waiting.length === 0 && model.session?.kernel.state !== 'connected';
    const { real, model } =
      (at === 'idle' ? world.sockets.find(isIdle) : world.sockets[at]) ?? world.sockets[0]!;
    const abort = signalOf(world, signal);
    const ticket = await world.start(() => real.connect(path, given({ signal: abort })));
    const refused = abortedBefore(abort);
    if (refused === undefined && model.session === undefined) model.open();
    const isBusy = model.connects.waiting.length > 0;
    operate(refused ?? (isBusy ? 'connect EALREADY' : undefined), ticket, () => {
      model.connects.start(new Connect(model, path, ticket, abort));
    });
  },
);

export const disconnect = command('disconnect', 1, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  const error = model.session === undefined ? 'connect EBADF' : 'connect EINVAL';
  await world.agree(
    () => real.disconnect(),
    () => failed(error),
  );
});
