import assert from 'node:assert/strict';
import fc from 'fast-check';
import { emptyMessages, socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { done, failed, outcomeOf } from '../expected/outcome.js';
import { limits } from '../real/limits.js';
import { hasSplittingWaiting } from '../real/waiting-messages.js';

/** SO_SNDBUF and SO_RCVBUF: doubled, with a lower limit. */
export const bufferSize = fc.constantFrom(0, 0, 3000, 5000, 100_000);

export const setSendBufferSize = command(
  'setOption sendBufferSize',
  3,
  { at: socket, size: bufferSize },
  async (world, { at, size }) => {
    const { real, model } = world.sockets[at]!;
    await world.agree(
      () => real.setOption('sendBufferSize', size),
      () => {
        if (model.session === undefined) return failed('setsockopt EBADF');
        model.session.kernel.sendBuffer = Math.max(2 * size, limits.leastSendBuffer);
        return done(undefined);
      },
    );
  },
);

export const setReceiveBufferSize = command(
  'setOption receiveBufferSize',
  1,
  { at: socket, size: bufferSize },
  async (world, { at, size }) => {
    const { real, model } = world.sockets[at]!;
    await world.agree(
      () => real.setOption('receiveBufferSize', size),
      () => {
        if (model.session === undefined) return failed('setsockopt EBADF');
        model.session.kernel.receiveBuffer = Math.max(2 * size, limits.leastReceiveBuffer);
        return done(undefined);
      },
    );
  },
);

export const setEmptyMessages = command(
  'setOption emptyMessages',
  4,
  { at: socket, emptyMessages },
  async (world, { at, emptyMessages }) => {
    const { real, model } = world.sockets[at]!;
    await world.agree(
      () => real.setOption('emptyMessages', emptyMessages),
      () => {
        if (model.session === undefined) return failed('setsockopt EBADF');
        model.session.emptyMessages = emptyMessages;
        return done(undefined);
      },
    );
  },
  (world, { at }) => !hasSplittingWaiting(world, world.sockets[at]!.model),
);

export const getOption = command('getOption', 2, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  const { session } = model;
  const expected = (value: unknown) => (session === undefined ? failed('getsockopt EBADF') : { value });
  const get = (name: Parameters<typeof real.getOption>[0]) => outcomeOf(() => real.getOption(name));
  assert.deepEqual(get('sendBufferSize'), expected(session?.kernel.sendBuffer));
  assert.deepEqual(get('receiveBufferSize'), expected(session?.kernel.receiveBuffer));
  assert.deepEqual(get('emptyMessages'), expected(session?.emptyMessages));
  assert.deepEqual(get('debug'), expected(false));
  const credentials = outcomeOf(() => {
    const { pid, uid, gid } = real.getOption('remoteCredentials');
    return { pid, uid, gid };
  });
  const own = { pid: process.pid, uid: process.getuid!(), gid: process.getgid!() };
  const isConnected = session === undefined || session.kernel.state === 'connected';
  assert.deepEqual(credentials, isConnected ? expected(own) : failed('getsockopt ENOTCONN'));
});

export const refOrUnref = command(
  'ref or unref',
  1,
  { at: socket, isRef: fc.boolean() },
  async (world, { at, isRef }) => {
    const { real } = world.ends[at]!;
    assert.equal(isRef ? real.ref() : real.unref(), real);
  },
);

export const ioControlOfClosed = command(
  'ioControl of what is closed',
  1,
  { at: socket },
  async (world, { at }) => {
    const { real } = world.sockets[at]!;
    await world.agree(
      () => real.ioControl('bytesReadable'),
      () => failed('ioctl EBADF'),
    );
  },
  (world, { at }) => world.sockets[at]!.model.session === undefined,
);
