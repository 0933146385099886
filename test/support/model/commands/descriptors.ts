import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import fc from 'fast-check';
import { FileDescriptor } from 'seqpacket';
import { descriptor, ownOf } from '../arguments/own-descriptors.js';
import { acceptor, socket } from '../arguments/subjects.js';
import { command } from '../command.js';
import { KernelSocket } from '../expected/kernel.js';
import { failed, outcomeOf } from '../expected/outcome.js';
import { isCloseOnExec } from '../real/close-on-exec.js';
import { FILES, files } from '../real/files.js';
import type { OwnDescriptor } from '../real/own-descriptor.js';
import type { World } from '../real/world.js';

export const adoptDescriptor = command(
  'FileDescriptor.adopt',
  2,
  { file: fc.nat(FILES - 1) },
  async (world, { file }) => {
    const real = FileDescriptor.adopt(openSync(files[file]!, 'r'));
    assert.equal(real.toString(), `/dev/fd/${real.fd}`);
    world.keep({ real, content: file });
  },
);

export const adoptUnopened = command('FileDescriptor.adopt of what is not open', 1, {}, async (world) => {
  await world.agree(
    () => FileDescriptor.adopt(99_999),
    () => failed('fcntl EBADF'),
  );
});

/** Duplicates something of the test's own or an endpoint's. */
export async function duplicateInto(
  world: World,
  make: () => FileDescriptor,
  content: OwnDescriptor['content'],
): Promise<void> {
  let real: FileDescriptor | undefined;
  const outcome = outcomeOf(() => {
    real = make();
    return isCloseOnExec(real);
  });
  assert.deepEqual(outcome, content === undefined ? failed('dup EBADF') : { value: true });
  if (real === undefined) return;
  if (content instanceof KernelSocket) content.descriptors++;
  world.keep({ real, content });
}

export const dup = command(
  'dup',
  3,
  { own: descriptor, as: fc.constantFrom('owner', 'method', 'number', 'object') },
  async (world, { own, as }) => {
    const { real, content } = ownOf(world, own);
    const sources = {
      owner: real,
      method: real,
      number: content === undefined ? 99_999 : real.fd,
      object: { fd: real.fd },
    };
    const source = sources[as as keyof typeof sources];
    await duplicateInto(world, () => (as === 'method' ? real.dup() : FileDescriptor.dup(source)), content);
  },
);

export const dupSocket = command('dup of a socket', 2, { at: socket }, async (world, { at }) => {
  const { real, model } = world.sockets[at]!;
  await duplicateInto(world, () => FileDescriptor.dup(real), model.session?.kernel);
});

export const dupAcceptor = command('dup of an acceptor', 1, { at: acceptor }, async (world, { at }) => {
  const { real, model } = world.acceptors[at]!;
  await duplicateInto(world, () => FileDescriptor.dup(real), model.socket);
});

export const closeDescriptor = command(
  'FileDescriptor.close',
  4,
  { own: descriptor, disposes: fc.boolean() },
  async (world, { own, disposes }) => {
    const source = ownOf(world, own);
    if (disposes) source.real[Symbol.dispose]();
    world.closeOwn(source);
  },
);

export const detach = command(
  'detach',
  2,
  { own: descriptor, adopts: fc.boolean() },
  async (world, { own, adopts }) => {
    const source = ownOf(world, own);
    const { fd } = source.real;
    assert.equal(source.real.detach(), fd);
    assert.equal(source.real.fd, -1);
    const { content } = source;
    source.content = undefined;
    if (content === undefined) return;
    if (adopts) {
      world.keep({ real: FileDescriptor.adopt(fd), content });
      return;
    }
    closeSync(fd);
    if (content instanceof KernelSocket) world.kernel.close(content);
  },
);
