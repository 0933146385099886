// Uses every kind of operation, as real programs do: call sites that have met one kind only are faster than any program's.
import { MessageBatch, pair, shareMemory } from 'seqpacket';

/** Fewer in tests, which ask for no figures. */
const ROUNDS = Number(process.env.SEQPACKET_BENCH_ROUNDS ?? 300);

export async function useEveryKind() {
  await useEveryOperation(...pair());
}

/** The same with channels. */
export async function useEveryKindOfChannels() {
  await useEveryOperation(...(await Promise.all(pair().map((socket) => shareMemory(socket)))));
}

async function useEveryOperation(a, b) {
  const message = Buffer.alloc(64, 1);
  const buffer = Buffer.alloc(64);
  const many = Array.from({ length: 8 }, () => message);
  const batch = new MessageBatch({ messages: 8, bytes: 64 });
  for (const each of many) batch.push(each);
  const received = new MessageBatch({ messages: 8, bytes: 64 });
  const iterator = b[Symbol.asyncIterator]();
  for (let round = 0; round < ROUNDS; round++) {
    await a.sendWithFds(message, [0]);
    for (const fd of (await b.receiveWithFds(buffer, 1)).fds) fd.close();
    await a.sendWithFds(message, [0]);
    for (const fd of (await b.receiveMessage({ maxFds: 1 })).fds) fd.close();
    await a.sendMany(many);
    for (let count = 0; count < many.length; ) count += (await b.receiveMany()).length;
    await a.sendBatch(batch);
    for (let count = 0; count < many.length; ) count += await b.receiveBatch(received);
    a.trySend(message);
    b.tryReceive(buffer);
    await a.send([message, 'text']);
    await b.receive([buffer, Buffer.alloc(64)]);
    await a.send('text', { flags: 0 });
    await iterator.next();
    const waiting = b.receive(buffer, { flags: 0 });
    await a.send(message);
    await waiting;
    const whole = b.receiveMessage();
    await a.send(message);
    await whole;
    await b.wait('write');
  }
  a.close();
  b.close();
}
