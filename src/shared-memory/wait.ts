/** Waiting until a receive or a send would not have to wait. */
import { systemError } from '../errors';
import { type Attempt, WOULD_BLOCK } from '../waiting/operation-queue';
import type { ChannelReceiver } from './channel-receiver';
import type { ChannelSender } from './channel-sender';

export class WaitForMessage implements Attempt<void> {
  constructor(
    private readonly receiver: ChannelReceiver,
    /** The address for errors. */
    private readonly name: string | Buffer,
  ) {}

  get needsFirstTry(): boolean {
    return this.receiver.isReady;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: the promise resolves to void
  try(): void | typeof WOULD_BLOCK {
    if (!this.receiver.isReady) return WOULD_BLOCK;
  }

  failure(errno: number): Error {
    return systemError('poll', errno, this.name);
  }
}

export class WaitForRoom implements Attempt<void> {
  /** @param bytes the length of the message that must have room */
  constructor(
    private readonly sender: ChannelSender,
    private readonly bytes: number,
    /** The address for errors. */
    private readonly name: string | Buffer,
  ) {}

  get needsFirstTry(): boolean {
    return this.sender.needsFirstTry;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: the promise resolves to void
  try(): void | typeof WOULD_BLOCK {
    if (!this.sender.isReadyFor(this.bytes)) return WOULD_BLOCK;
  }

  failure(errno: number): Error {
    return systemError('poll', errno, this.name);
  }
}
