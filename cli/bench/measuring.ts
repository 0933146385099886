/** Measures latency and throughput over a socket, or a channel in shared memory, whose peer returns every message. */
import type { SharedChannel } from 'seqpacket';
import { Failure } from '../process/failure.js';
import { IdleTimeout } from '../process/idle-timeout.js';
import { type Summary, summary } from './histogram.js';
import { showProgress } from './progress.js';

export interface Measurement {
  /** Seconds of each measurement. */
  duration: number;
  /** Bytes of each message. */
  size: number;
}

/** What sockets have, too. */
export type Connection = Pick<SharedChannel, 'send' | 'receive' | 'sendMany' | 'receiveMany' | 'cancel'>;

const BATCH = 64;
const MAX_ROUND_TRIPS = 5_000_000;
const WARM_UP_ROUND_TRIPS = 200;
const PROGRESS_MS = 200;
/** A peer that sends no answer for this time is not an echo service. */
export const IDLE_SECONDS = 5;

/** Cancels pending operations (ECANCELED) when it expires, and when it is ended. */
function startTimeout(connection: Connection): IdleTimeout {
  const timeout = new IdleTimeout(IDLE_SECONDS);
  timeout.signal.addEventListener('abort', () => connection.cancel(), { once: true });
  return timeout;
}

export interface Latency {
  sorted: Float64Array;
  summary: Summary;
}

/** Round trips of one message at a time. */
export async function measureLatency(
  connection: Connection,
  { duration, size }: Measurement,
): Promise<Latency> {
  const message = Buffer.alloc(size, 'x');
  const times = new Float64Array(MAX_ROUND_TRIPS);
  const timeout = startTimeout(connection);
  const answer = Buffer.alloc(Math.max(size, 65_536));
  let count = -WARM_UP_ROUND_TRIPS;
  try {
    let start = performance.now();
    let nextProgress = start + PROGRESS_MS;
    for (let before = start; count < MAX_ROUND_TRIPS; ) {
      await connection.send(message);
      const bytes = await connection.receive(answer);
      const after = performance.now();
      if (bytes !== size) throw notAnEcho(bytes, size);
      if (count >= 0) times[count] = (after - before) * 1000;
      count++;
      if (count === 0) start = after;
      before = after;
      if (after > nextProgress) {
        showProgress(`latency: ${percentage(after - start, duration)}`);
        nextProgress = after + PROGRESS_MS;
        timeout.restart();
      }
      if (count > 0 && after - start >= duration * 1000) break;
    }
  } finally {
    timeout.end();
  }
  const sorted = times.slice(0, count).sort();
  return { sorted, summary: summary(sorted) };
}

export interface Throughput {
  messages: number;
  seconds: number;
  messagesPerSecond: number;
  bytesPerSecond: number;
}

/** As many messages in flight as the queues hold. */
export async function measureThroughput(
  connection: Connection,
  { duration, size }: Measurement,
): Promise<Throughput> {
  const batch: Buffer[] = Array(BATCH).fill(Buffer.alloc(size, 'x'));
  const start = performance.now();
  const timeout = startTimeout(connection);
  let sent = 0;
  let received = 0;
  let end = start;
  let isSending = true;
  const sending = (async () => {
    while (performance.now() - start < duration * 1000) sent += await connection.sendMany(batch);
    // The last message: sent after `isSending` is false, so that its echo ends the loop of the receiver.
    isSending = false;
    sent++;
    await connection.send(batch[0]!);
  })();
  const receiving = (async () => {
    let nextProgress = start + PROGRESS_MS;
    while (isSending || received < sent) {
      for (const message of await connection.receiveMany()) {
        if (message.length !== size) throw notAnEcho(message.length, size);
        received++;
      }
      end = performance.now();
      if (end > nextProgress) {
        showProgress(`throughput: ${percentage(end - start, duration)}`);
        nextProgress = end + PROGRESS_MS;
        timeout.restart();
      }
    }
  })();
  try {
    await Promise.all([sending, receiving]);
  } finally {
    timeout.end();
    await Promise.allSettled([sending, receiving]);
  }
  const seconds = (end - start) / 1000;
  return {
    messages: received,
    seconds,
    messagesPerSecond: received / seconds,
    bytesPerSecond: (received * size) / seconds,
  };
}

function notAnEcho(received: number, sent: number): Failure {
  return new Failure(
    `${received} bytes were received where ${sent} were sent: bench needs an echo service, which returns every message whole`,
  );
}

function percentage(elapsed: number, duration: number): string {
  return `${Math.max(0, Math.min(100, Math.floor(elapsed / duration / 10)))} %`;
}
