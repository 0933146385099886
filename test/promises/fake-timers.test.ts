/** Fake timers of test frameworks do not stop the traffic of a real socket. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { SeqpacketSocket } from 'seqpacket';

test('messages go to and fro while setImmediate and setTimeout are fake', async (t) => {
  const [a, b] = SeqpacketSocket.pair();
  t.after(() => {
    a.close();
    b.close();
  });
  // Its own sake: without the real one, a traffic that stops would hang the test.
  const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;
  mock.timers.enable({ apis: ['setTimeout', 'setImmediate', 'setInterval', 'Date'] });
  t.after(() => mock.timers.reset());
  let exchanges = 0;
  let timer: NodeJS.Timeout | undefined;
  const stopped = new Promise((resolve) => {
    timer = realSetTimeout(resolve, 10_000);
  });
  const traffic = (async () => {
    const buffer = Buffer.alloc(10);
    for (; exchanges < 5000; exchanges++) {
      await a.send(Buffer.from('ping'));
      await b.receive(buffer);
      await b.send(Buffer.from('pong'));
      await a.receive(buffer);
    }
  })();
  await Promise.race([traffic, stopped]);
  realClearTimeout(timer);
  assert.equal(exchanges, 5000);
});
