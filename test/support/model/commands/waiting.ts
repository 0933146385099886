import fc from 'fast-check';
import { given } from '../arguments/options.js';
import { abortedBefore, operate, signal, signalOf } from '../arguments/signals.js';
import { socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { done } from '../expected/outcome.js';
import { WaitForReading, WaitForWriting } from '../expected/waiting.js';

export const direction = fc.constantFrom('read', 'write');

export const wait = command(
  'wait',
  6,
  { at: socket, direction, signal },
  async (world, { at, direction, signal }) => {
    const { real, model } = world.ends[at]!;
    const abort = signalOf(world, signal);
    const ticket = await world.start(() => real.wait(direction, given({ signal: abort })));
    const refused = model.session === undefined ? 'poll EBADF' : abortedBefore(abort);
    operate(refused, ticket, () => {
      if (direction === 'read') model.receives.start(new WaitForReading(model, ticket, abort));
      else model.sends.start(new WaitForWriting(model, ticket, abort));
    });
  },
);

export const cancel = command('cancel', 3, { at: socket }, async (world, { at }) => {
  const { real, model } = world.ends[at]!;
  await world.agree(
    () => real.cancel(),
    () => done(void model.cancel()),
  );
});

export const abort = command('abort', 5, { which: fc.nat(3) }, async (world, { which }) => {
  const inUse = world.controllers.filter(({ signal }) => world.isWaitedWith(signal));
  const choice = inUse.length > 0 ? inUse : world.controllers;
  const controller = choice[which % choice.length]!;
  world.controllers = world.controllers.filter((each) => each !== controller);
  if (world.controllers.length === 0) world.controllers.push(new AbortController());
  await world.agree(
    () => controller.abort('later'),
    () => done(void world.abort(controller.signal)),
  );
});
