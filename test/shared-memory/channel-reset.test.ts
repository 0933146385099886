/** ECONNRESET: the peer has closed its end with unread messages. It is reported once, whatever came before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageBatch, MessageFlag } from 'seqpacket';
import { channelPair } from '../support/channels.js';

const reset = { code: 'ECONNRESET', syscall: 'recvmsg' };

test('a peek of the reset does not take it', async () => {
  using ends = await channelPair();
  const { a, b } = ends;
  await a.send('not read');
  b.close();
  const buffer = Buffer.alloc(1);
  for (let i = 0; i < 2; i++) await assert.rejects(a.receive(buffer, { flags: MessageFlag.peek }), reset);
  await assert.rejects(a.receive(buffer), reset);
  await assert.rejects(a.receive(buffer), { code: 'EOF' });
});

test('a batch of the last messages does not take the reset', async () => {
  const batch = new MessageBatch({ messages: 4, bytes: 4 });
  for (const into of ['batch', 'buffers']) {
    using ends = await channelPair();
    const { a, b } = ends;
    await a.send('not read');
    await b.sendMany(['1', '2']);
    b.close();
    // From now on the end knows that its peer is gone.
    await assert.rejects(a.send('x'), { code: 'EPIPE' });
    const received = into === 'batch' ? await a.receiveBatch(batch) : (await a.receiveMany()).length;
    assert.equal(received, 2);
    await assert.rejects(a.receiveMany(), reset);
    await assert.rejects(a.receiveMany(), { code: 'EOF' });
  }
});

test('the reset is reported behind the end of a direction', async () => {
  for (const isKnown of [false, true]) {
    using ends = await channelPair();
    const { a, b } = ends;
    await a.send('not read');
    b.shutdown('send');
    if (isKnown) await assert.rejects(a.receiveMessage(), { code: 'EOF' });
    b.close();
    await assert.rejects(a.receiveMessage(), reset);
    await assert.rejects(a.receiveMessage(), { code: 'EOF' });
  }
});
