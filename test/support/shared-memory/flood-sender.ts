/**
 * Sends messages of mixed sizes in every way, and reports the growth of its memory:
 * flood-sender.js PATH SEED MESSAGES BYTES
 */
import { connect, MessageBatch, type SharedChannel, shareMemory } from 'seqpacket';
import { MixedMessages, RandomNumbers } from './flood.js';
import { growth } from './flood-memory.js';

const [path, seed, messages, bytes] = process.argv.slice(2) as [string, string, string, string];
const count = Number(messages);
const mixed = new MixedMessages(Number(seed));
const ways = new RandomNumbers(Number(seed) + 1);

/** Whether the current message is not sent yet. */
let isPending = false;

function advance(): number {
  const length = mixed.advance();
  isPending = true;
  return length;
}

function take(length: number): Buffer {
  const data = Buffer.allocUnsafe(length);
  mixed.write(data);
  isPending = false;
  return data;
}

const isOver = () => mixed.number + 1 >= count && !isPending;
const batch = new MessageBatch({ messages: 64, bytes: 2048 });

/** Sends 64 messages at most. */
const WAYS: readonly ((channel: SharedChannel) => Promise<unknown>)[] = [
  async (channel) => {
    for (let i = 0; i < 16 && !isOver(); i++) await channel.send(take(advance()));
  },
  async (channel) => {
    for (let i = 0; i < 16 && !isOver(); i++) {
      const data = take(advance());
      if (!channel.trySend(data)) await channel.send(data);
    }
  },
  async (channel) => {
    const many = [];
    while (many.length < 64 && !isOver()) many.push(take(advance()));
    await channel.sendMany(many);
  },
  async (channel) => {
    batch.clear();
    while (batch.length < 64 && !isOver()) {
      const length = advance();
      if (length > 2048) break;
      batch.push(take(length));
    }
    await channel.sendBatch(batch);
    if (isPending) await channel.send(take(mixed.length + 4));
  },
  async (channel) => {
    for (let i = 0; i < 8 && !isOver(); i++) {
      const length = advance();
      await channel.wait('write', { bytes: length });
      const lease = channel.lease(length);
      mixed.write(lease.data);
      isPending = false;
      lease.send();
    }
  },
  async (channel) => {
    if (!isOver()) await channel.sendWithFds(take(advance()), [0]);
  },
];

const channel = await shareMemory(await connect(path), { bytes: Number(bytes) });
const grown = growth(count);
while (!isOver()) {
  const way = ways.next() % 100;
  // Descriptors and leases cost system calls, or one message at a time: less often.
  await WAYS[way === 0 ? 5 : way < 10 ? 4 : way % 4]!(channel);
  grown.sample(mixed.number + 1);
}
channel.shutdown('send');
process.send!(grown.bytes, () => {
  channel.close();
  process.disconnect();
});
