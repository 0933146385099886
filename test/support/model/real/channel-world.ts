import assert from 'node:assert/strict';
import { type Borrowed, type Lease, pair, type SharedChannel, shareMemory } from 'seqpacket';
import { ChannelEnd, type Lent } from '../expected/channel-end.js';
import { Kernel } from '../expected/kernel.js';
import { digest } from '../expected/message.js';
import { SocketModel } from '../expected/socket-model.js';
import { hasDirectory } from './files.js';
import { limits } from './limits.js';
import { type Count, type Slot, World } from './world.js';

/** The sizes of the memory of the two ends, in bytes. Sends have to wait in the small ones. */
const SMALL = [4096, 8192] as const;
const LARGE = [16_384, 65_536] as const;

/** Memory of a channel that is lent for a message to be sent. */
export interface Leased {
  readonly model: SocketModel;
  readonly real: Lease;
  /** What was written into it. */
  readonly data: Buffer;
  isEnded: boolean;
}

/** A message that was received in place. */
export interface BorrowedMessage {
  readonly kernel: ChannelEnd;
  readonly real: Borrowed;
  readonly lent: Lent;
}

/** A world in which each end is a channel. */
export class ChannelWorld extends World {
  /** An empty message, unread, is a message. */
  override readonly kernel: Kernel = new Kernel({ ...limits, resetsForEmpty: true }, hasDirectory);
  leases: Leased[] = [];
  borrowed: BorrowedMessage[] = [];

  get channels(): Slot<SharedChannel, SocketModel>[] {
    return this.ends as Slot<SharedChannel, SocketModel>[];
  }

  override async begin(): Promise<void> {
    const [closed, peer] = await channels(SMALL);
    closed.close();
    peer.close();
    for (const slot of this.channels) slot.real = closed;
    await this.connectPair(0, 1, true);
  }

  override async connectPair(one: number, other: number, areSmall: boolean): Promise<void> {
    const sizes = areSmall ? SMALL : LARGE;
    const reals = await channels(sizes);
    const [a, b] = sizes.map((each) => new ChannelEnd(this.kernel.limits, each)) as [ChannelEnd, ChannelEnd];
    const kernels = this.kernel.pair([a, b]);
    for (const [end, index] of [one, other].entries()) {
      const slot = this.channels[index]!;
      const model = new SocketModel(this.kernel);
      slot.real = reals[end]!;
      slot.model = model;
      model.begin(kernels[end]!);
      model.session!.emptyMessages = 'deliver';
      kernels[end]!.isAwaited = () => model.receives.waiting.length > 0;
    }
  }

  /** Sends have no flags. */
  override sendFlags(): number {
    return 0;
  }

  /** A call can complete operations of the other direction, because both are woken by the same socket. */
  override catchUp(): void {
    this.serve();
  }

  protected override checkEnds(count: Count): void {
    for (const { real, model } of this.channels) {
      const { session } = model;
      assert.equal(real.isOpen, session !== undefined);
      assert.equal(real.socket.isOpen, session !== undefined);
      count(session?.kernel);
      if (session === undefined) continue;
      const { pendingSends, pendingReceives, ...counters } = real.counters;
      assert.deepEqual(counters, session.counters);
      assert.equal(pendingReceives, model.receives.waiting.length);
      // The end of the direction may wait, too.
      const isEnding = session.endedSending && pendingSends === model.sends.waiting.length + 1;
      if (!isEnding) assert.equal(pendingSends, model.sends.waiting.length);
    }
    for (const each of this.borrowed) checkBorrowed(each);
  }

  protected override get mayBeOpen(): readonly number[] {
    return this.channels.flatMap(({ model }) =>
      (model.session?.kernel.queue ?? []).flatMap(({ files }) => files),
    );
  }
}

/** The message stays until it is released, or the channel is closed. */
export function checkBorrowed({ kernel, real, lent }: BorrowedMessage): void {
  const { data } = real;
  assert.equal(digest(data), digest(kernel.state === 'dead' ? Buffer.alloc(0) : lent.data), 'borrowed');
}

async function channels(sizes: readonly [number, number]): Promise<[SharedChannel, SharedChannel]> {
  const [a, b] = pair();
  return Promise.all([shareMemory(a, { bytes: sizes[0] }), shareMemory(b, { bytes: sizes[1] })]);
}

export const channelEnd = (model: SocketModel): ChannelEnd | undefined =>
  model.session?.kernel as ChannelEnd | undefined;
