/** `seqpacket bench` */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { pairForChild, type SeqpacketSocket } from 'seqpacket';
import { connectTo } from '../connections/open.js';
import { EXIT } from '../process/exit-codes.js';
import { codeOf, Failure } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { onStop, stopSignal } from '../process/stopping.js';
import { paint } from '../process/terminal.js';
import { ECHO_COMMAND } from './echo.js';
import { histogram } from './histogram.js';
import {
  type Latency,
  type Measurement,
  measureLatency,
  measureThroughput,
  type Throughput,
} from './measuring.js';
import { showProgress } from './progress.js';
import { memoryBytes, shareMemoryWith } from './shared-memory.js';

export interface BenchOptions extends Measurement {
  json?: boolean | undefined;
  sharedMemory?: boolean | undefined;
}

export async function runBench(
  address: string | undefined,
  options: BenchOptions,
): Promise<number | undefined> {
  const { size, sharedMemory = false } = options;
  const bytes = sharedMemory ? memoryBytes(size) : undefined;
  const [socket, child] = address === undefined ? startEcho(bytes) : [await connectTo(address), undefined];
  if (socket === undefined) return undefined;
  onStop(() => socket.close());
  try {
    const connection = bytes === undefined ? socket : await shareMemoryWith(socket, nameOf(address), bytes);
    const latency = await measureLatency(connection, options);
    const throughput = await measureThroughput(connection, options);
    if (options.json) {
      stdout.write(
        `${JSON.stringify({ size, sharedMemory, latencyMicroseconds: latency.summary, throughput })}\n`,
      );
    } else {
      stdout.write(report(address, options, latency, throughput));
    }
  } catch (error) {
    if (stopSignal.aborted) return undefined;
    throw explainError(error, address, options);
  } finally {
    showProgress('');
    socket.close();
    child?.kill();
  }
  return undefined;
}

/** @param memory the size of the shared memory in bytes; undefined: none is shared */
function startEcho(memory: number | undefined): [SeqpacketSocket, ChildProcess] {
  const [socket, theirs] = pairForChild();
  const self = fileURLToPath(import.meta.url);
  const args = memory === undefined ? [] : [String(memory)];
  const child = spawn(process.execPath, [self, ECHO_COMMAND, ...args], {
    stdio: ['ignore', 'ignore', 'inherit', theirs.fd],
  });
  theirs.close();
  return [socket, child];
}

function nameOf(address: string | undefined): string {
  return address ?? 'the child process';
}

function explainError(error: unknown, address: string | undefined, { size }: BenchOptions): unknown {
  switch (codeOf(error)) {
    case 'ECANCELED':
      return new Failure(
        `no answer from ${nameOf(address)}: bench needs an echo service, which returns every message`,
      );
    case 'EOF':
    case 'EPIPE':
    case 'ECONNRESET':
      return new Failure(`${nameOf(address)} has closed the connection`);
    case 'EMSGSIZE':
      return new Failure(`a message of ${size} bytes is too long: use a smaller --size`, EXIT.usage);
    default:
      return error;
  }
}

function report(
  address: string | undefined,
  { size, sharedMemory }: BenchOptions,
  latency: Latency,
  flow: Throughput,
): string {
  const { count, p50, p90, p99, p999, max } = latency.summary;
  const us = (value: number) => `${value.toFixed(1)} µs`;
  const whole = (value: number) => Math.round(value).toLocaleString('en');
  return [
    `messages of ${size} bytes${sharedMemory ? ' through shared memory' : ''}, echoed by ${address ?? 'a child process'}`,
    '',
    paint('bold', `latency of ${whole(count)} round trips`),
    `  50 % ${us(p50)}   90 % ${us(p90)}   99 % ${us(p99)}   99.9 % ${us(p999)}   max ${us(max)}`,
    '',
    histogram(latency.sorted),
    '',
    paint('bold', 'throughput'),
    `  ${whole(flow.messagesPerSecond)} messages/s, ${(flow.bytesPerSecond / 1e6).toFixed(1)} MB/s in each direction`,
    '',
  ].join('\n');
}
