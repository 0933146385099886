/** `seqpacket bench` */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect, pairForChild, type SeqpacketSocket } from 'seqpacket';
import { parseAddress } from '../connections/address.js';
import { EXIT } from '../process/exit-codes.js';
import { cannotConnect, codeOf, Failure } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { onStop, stopped } from '../process/stopping.js';
import { paint } from '../process/terminal.js';
import { ECHO_COMMAND } from './echo.js';
import { histogram, type Summary, summary } from './histogram.js';

export interface BenchOptions {
  /** Of each half, in seconds. */
  duration: number;
  /** Bytes of each message. */
  size: number;
  json?: boolean | undefined;
}

const BATCH = 64;
/** After so long without an answer nobody seems to be giving messages back. */
const SILENCE_MS = 5000;
const MOST_ROUND_TRIPS = 5_000_000;
const WARM_UP = 200;
const PROGRESS_MS = 200;

export async function runBench(
  address: string | undefined,
  options: BenchOptions,
): Promise<number | undefined> {
  let child: ChildProcess | undefined;
  let socket: SeqpacketSocket;
  if (address === undefined) [socket, child] = echoingChild();
  else socket = await connected(address);
  onStop(() => socket.close());
  try {
    const latency = await roundTrips(socket, options);
    const throughput = await flood(socket, options);
    if (options.json) {
      stdout.write(
        `${JSON.stringify({ size: options.size, latencyMicroseconds: latency.summary, throughput })}\n`,
      );
    } else {
      stdout.write(report(address, options, latency, throughput));
    }
  } catch (error) {
    if (stopped.aborted) return undefined;
    throw explained(error, address, options);
  } finally {
    progress('');
    socket.close();
    child?.kill();
  }
  return undefined;
}

function echoingChild(): [SeqpacketSocket, ChildProcess] {
  const [socket, theirs] = pairForChild();
  const self = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [self, ECHO_COMMAND], {
    stdio: ['ignore', 'ignore', 'inherit', theirs.fd],
  });
  theirs.close();
  return [socket, child];
}

async function connected(address: string): Promise<SeqpacketSocket> {
  try {
    return await connect(parseAddress(address), { signal: stopped });
  } catch (error) {
    throw error instanceof Failure ? error : cannotConnect(address, error);
  }
}

function explained(error: unknown, address: string | undefined, { size }: BenchOptions): unknown {
  switch (codeOf(error)) {
    case 'ECANCELED':
      return new Failure(`no answer from ${address}: bench needs a service that gives every message back`);
    case 'EOF':
    case 'EPIPE':
    case 'ECONNRESET':
      return new Failure(`${address ?? 'the other process'} has closed the connection`);
    case 'EMSGSIZE':
      return new Failure(`messages of ${size} bytes are too long: use a smaller --size`, EXIT.usage);
    default:
      return error;
  }
}

/** Cancels what waits when nothing has come for too long. */
class Watchdog {
  readonly #timer: NodeJS.Timeout;

  constructor(socket: SeqpacketSocket) {
    this.#timer = setTimeout(() => socket.cancel(), SILENCE_MS);
  }

  touch(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

interface Latency {
  sorted: Float64Array;
  summary: Summary;
}

/** One message at a time: how long until it is back. */
async function roundTrips(socket: SeqpacketSocket, { duration, size }: BenchOptions): Promise<Latency> {
  const message = Buffer.alloc(size, 'x');
  const times = new Float64Array(MOST_ROUND_TRIPS);
  const watchdog = new Watchdog(socket);
  const answer = Buffer.alloc(Math.max(size, 65_536));
  let count = -WARM_UP;
  try {
    let start = performance.now();
    let nextProgress = start + PROGRESS_MS;
    for (let before = start; count < MOST_ROUND_TRIPS; ) {
      await socket.send(message);
      const bytes = await socket.receive(answer);
      const after = performance.now();
      if (bytes !== size) throw notEchoing(bytes, size);
      if (count >= 0) times[count] = (after - before) * 1000;
      count++;
      if (count === 0) start = after;
      before = after;
      if (after > nextProgress) {
        progress(`latency: ${share(after - start, duration)}`);
        nextProgress = after + PROGRESS_MS;
        watchdog.touch();
      }
      if (count > 0 && after - start >= duration * 1000) break;
    }
  } finally {
    watchdog.end();
  }
  const sorted = times.slice(0, count).sort();
  return { sorted, summary: summary(sorted) };
}

interface Throughput {
  messages: number;
  seconds: number;
  messagesPerSecond: number;
  bytesPerSecond: number;
}

/** As many messages at once as the queues hold, there and back. */
async function flood(socket: SeqpacketSocket, { duration, size }: BenchOptions): Promise<Throughput> {
  const batch = Array.from({ length: BATCH }, () => Buffer.alloc(size, 'x'));
  const start = performance.now();
  const watchdog = new Watchdog(socket);
  let sent = 0;
  let received = 0;
  let end = start;
  let isSending = true;
  const sending = (async () => {
    while (performance.now() - start < duration * 1000) sent += await socket.sendMany(batch);
    // One more, which cannot be back before the receiver knows that it is the last one.
    isSending = false;
    sent++;
    await socket.send(batch[0]!);
  })();
  const receiving = (async () => {
    let nextProgress = start + PROGRESS_MS;
    while (isSending || received < sent) {
      for (const message of await socket.receiveMany()) {
        if (message.length !== size) throw notEchoing(message.length, size);
        received++;
      }
      end = performance.now();
      if (end > nextProgress) {
        progress(`throughput: ${share(end - start, duration)}`);
        nextProgress = end + PROGRESS_MS;
        watchdog.touch();
      }
    }
  })();
  try {
    await Promise.all([sending, receiving]);
  } finally {
    watchdog.end();
    socket.cancel();
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

function notEchoing(received: number, sent: number): Failure {
  return new Failure(
    `${received} bytes came back where ${sent} were sent: bench needs a service that gives every message back whole`,
  );
}

function share(elapsed: number, duration: number): string {
  return `${Math.max(0, Math.min(100, Math.floor(elapsed / duration / 10)))} %`;
}

let isProgressShown = false;

/** On a terminal only: on standard error, and always in the same line. */
function progress(text: string): void {
  if (!process.stderr.isTTY || (text === '' && !isProgressShown)) return;
  isProgressShown = text !== '';
  process.stderr.write(`\r\x1b[K${text}`);
}

function report(
  address: string | undefined,
  { size }: BenchOptions,
  latency: Latency,
  flow: Throughput,
): string {
  const { count, p50, p90, p99, p999, max } = latency.summary;
  const us = (value: number) => `${value.toFixed(1)} µs`;
  const whole = (value: number) => Math.round(value).toLocaleString('en');
  return [
    `${size} bytes there and back, ${address === undefined ? 'with a process of its own' : `with ${address}`}`,
    '',
    paint('bold', `latency of ${whole(count)} round trips`),
    `  50 % ${us(p50)}   90 % ${us(p90)}   99 % ${us(p99)}   99.9 % ${us(p999)}   longest ${us(max)}`,
    '',
    histogram(latency.sorted),
    '',
    paint('bold', 'throughput, there and back'),
    `  ${whole(flow.messagesPerSecond)} messages/s, ${(flow.bytesPerSecond / 1e6).toFixed(1)} MB/s in each direction`,
    '',
  ].join('\n');
}
