import assert from 'node:assert/strict';
import type { FileDescriptor, SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';
import type { AcceptorModel } from '../expected/acceptor-model.js';
import { KernelSocket } from '../expected/kernel.js';
import { failed, outcomeOf } from '../expected/outcome.js';
import type { SocketModel } from '../expected/socket-model.js';
import type { OwnDescriptor } from '../real/own-descriptor.js';
import { drained } from '../real/settling.js';
import type { End, World } from '../real/world.js';

export function closeBy(endpoint: End | SeqpacketAcceptor, how: string): void {
  if (how === 'close') endpoint.close();
  else if (how === 'dispose') endpoint[Symbol.dispose]();
  else void endpoint[Symbol.asyncDispose]();
}

/** Releases an endpoint; the descriptor, the same as before, is the test's own from then on. */
export async function releaseEndpoint(
  world: World,
  real: SeqpacketSocket | SeqpacketAcceptor,
  model: SocketModel | AcceptorModel,
): Promise<void> {
  const { fd } = real;
  let released: FileDescriptor | undefined;
  const outcome = outcomeOf(() => {
    released = real.release();
    return released.fd;
  });
  await drained();
  const kernel = model.release();
  assert.deepEqual(outcome, typeof kernel === 'string' ? failed(kernel) : { value: fd });
  if (typeof kernel === 'string') return;
  kernel.descriptors++;
  world.keep({ real: released!, content: kernel });
}

/** What assigning a descriptor comes to, the endpoint being of a kind that listens or not. */
export function assignError(
  { content }: OwnDescriptor,
  isOpen: boolean,
  listens: boolean,
): string | undefined {
  if (isOpen) return 'assign EALREADY';
  if (content === undefined) return 'assign EBADF';
  if (!(content instanceof KernelSocket)) return 'getsockopt ENOTSOCK';
  return content.state === 'listening' && !listens ? 'assign EINVAL' : undefined;
}

/** Moves the socket of a descriptor of the test's own. */
export function moveTo(model: SocketModel | AcceptorModel, own: OwnDescriptor): void {
  const kernel = own.content as KernelSocket;
  model.begin(kernel);
  kernel.descriptors--;
  own.content = undefined;
}
