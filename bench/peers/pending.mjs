// How long one operation takes when as many as SIZE wait on one socket of this package. Both ends of the
// connection are in this process.
import { pair } from 'seqpacket';
import { play, report, work } from './role.mjs';

const message = Buffer.alloc(64);
const buffer = Buffer.alloc(64);
const BATCH = Array.from({ length: 64 }, () => message);

function times(make) {
  return Array.from({ length: work.size }, make);
}

/** From waiting for the first to having got the last message. */
async function receives(ours, theirs) {
  const waiting = times(() => ours.receive(buffer));
  for (let left = work.size; left > 0; left -= BATCH.length) await theirs.sendMany(BATCH.slice(0, left));
  await Promise.all(waiting);
}

/** From when the first send has to wait until the last message is received, those before them too. */
async function sends(ours, theirs, filled) {
  const waiting = times(() => ours.send(message));
  const messages = filled + work.size;
  for (let left = messages; left > 0; ) left -= (await theirs.receiveMany()).length;
  await Promise.all(waiting);
  return messages;
}

/** Sends until the next would have to wait. */
function fill(ours) {
  let count = 0;
  while (ours.trySend(message)) count++;
  return count;
}

async function cancelled(ours) {
  const waiting = times(() => ours.receive(buffer));
  ours.cancel();
  await Promise.allSettled(waiting);
}

/** Each with a signal of its own, aborted from the middle of the queue outwards. */
async function aborted(ours) {
  const controllers = times(() => new AbortController());
  const waiting = controllers.map(({ signal }) => ours.receive(buffer, { signal }));
  const middle = work.size >> 1;
  for (let i = middle; i < work.size; i++) controllers[i].abort();
  for (let i = middle - 1; i >= 0; i--) controllers[i].abort();
  await Promise.allSettled(waiting);
}

/** All with the same signal. */
async function abortedTogether(ours) {
  const controller = new AbortController();
  const waiting = times(() => ours.receive(buffer, { signal: controller.signal }));
  controller.abort();
  await Promise.allSettled(waiting);
}

/** The cost of the signals alone, each with a listener. */
function signals() {
  const controllers = times(() => new AbortController());
  for (const { signal } of controllers) signal.addEventListener('abort', () => {}, { once: true });
  for (const controller of controllers) controller.abort();
}

/** Repeats it for a while. @returns the microseconds for each operation, the median of the repetitions */
async function measured([operations, prepare], milliseconds) {
  const [ours, theirs] = pair();
  const each = [];
  for (const began = performance.now(); performance.now() - began < milliseconds || each.length < 3; ) {
    const prepared = prepare?.(ours);
    const start = performance.now();
    const count = (await operations(ours, theirs, prepared)) ?? work.size;
    each.push(((performance.now() - start) * 1000) / count);
  }
  ours.close();
  theirs.close();
  return each.sort((a, b) => a - b)[each.length >> 1];
}

await play({
  async pending() {
    const cases = { receives: [receives], sends: [sends, fill], cancelled: [cancelled] };
    Object.assign(cases, { aborted: [aborted], abortedTogether: [abortedTogether], signals: [signals] });
    const microseconds = {};
    for (const [name, each] of Object.entries(cases)) {
      await measured(each, work.warmUpMilliseconds / 4);
      microseconds[name] = await measured(each, work.measureMilliseconds / 2);
    }
    report({ microseconds });
  },
});
