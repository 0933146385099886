/** The attempt to borrow the next message. */
import type { Attempt, PlainOperation, WOULD_BLOCK } from '../waiting/operation-queue';
import type { Borrowed } from './borrowed';
import type { ChannelReceiver } from './channel-receiver';

export class Borrow implements Attempt<Borrowed> {
  constructor(private readonly receiver: ChannelReceiver) {}

  get needsFirstTry(): boolean {
    return this.receiver.holdsMessage;
  }

  try(): Borrowed | typeof WOULD_BLOCK {
    return this.receiver.borrow();
  }

  failure(errno: number): Error {
    return this.receiver.failure(errno);
  }
}

export const plainBorrow: PlainOperation<ChannelReceiver, undefined, Borrowed> = {
  try: (receiver) => receiver.borrow(),
  attempt: (receiver) => new Borrow(receiver),
};
