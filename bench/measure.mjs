// One run: two processes, each pinned to a CPU, and what they report.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { npmPeers, scratch } from './prepare.mjs';

const TIMEOUT_MS = 60_000;
/** A run with a smaller share of its CPU, because another process used it, is repeated. */
const LEAST_SHARE = 0.93;
const TRIES = 3;
/** Enough for caches and the clock of the CPU, where nothing is compiled meanwhile. */
const COMPILED_WARM_UP_MS = 100;

let runs = 0;

/** Those that run: none outlives the bench. */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program on one CPU that reports lines of JSON. */
class Program {
  report = {};
  #name;
  #child;
  #ready;
  #stderr = '';
  #ended;

  constructor(name, command, cpu) {
    this.#name = name;
    this.#child = spawn('taskset', ['-c', String(cpu), ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, SEQPACKET_BENCH_PEERS: npmPeers },
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr += text;
    });
    running.add(this.#child);
    this.#ended = once(this.#child, 'close').then(([code, signal]) => {
      running.delete(this.#child);
      return { code, signal };
    });
    this.#ready = new Promise((resolve) => {
      createInterface(this.#child.stdout).on('line', (line) => {
        const values = JSON.parse(line);
        if (values.ready) resolve();
        else
          Object.assign(this.report, values, { cpuSeconds: sum(this.report.cpuSeconds, values.cpuSeconds) });
      });
    });
  }

  /** Waits until it listens. */
  ready() {
    return this.#orTimeout(Promise.race([this.#ready, this.ended()]));
  }

  /** Waits until it has ended, without an error. */
  async ended() {
    const { code, signal } = await this.#orTimeout(this.#ended);
    if (code === 0) return;
    const lines = this.#stderr.trim().split('\n');
    const reason = lines.find((line) => /^\w*Error/.test(line)) ?? lines.at(-1);
    throw new Error(`the ${this.#name} ended with ${signal ?? code}: ${reason}`);
  }

  kill() {
    this.#child.kill('SIGKILL');
    return this.#ended;
  }

  async #orTimeout(promise) {
    let timer;
    const timeout = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the ${this.#name} took too long`)), TIMEOUT_MS);
    });
    return await Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
  }
}

/**
 * Starts the server and then the client, and waits until both have reported.
 *
 * @param server, client their commands and arguments; no server if the client starts it
 * @param endless whether the server has nothing to report and goes on until it is killed
 * @param conditions `cpus` are those of the server and of the client
 */
async function run(server, client, { cpus, warmUp, measure }, endless = false) {
  const path = `${scratch}/${process.pid}-${runs++}.socket`;
  const programs = [];
  const start = (name, { command, size, variants = [] }, cpu) => {
    const line = [...command, path, size, warmUp, measure, ...variants].map(String);
    programs.push(new Program(name, line, cpu));
    return programs.at(-1);
  };
  try {
    const serving = server.command && start('server', server, cpus[0]);
    await serving?.ready();
    const before = idleSeconds(cpus[1]);
    const calling = start('client', client, cpus[1]);
    // The first failure has the reason.
    await (endless ? calling.ended() : Promise.all([calling.ended(), serving?.ended()]));
    const idle = idleSeconds(cpus[1]) - before;
    return { server: serving?.report ?? {}, client: calling.report, idle };
  } finally {
    for (const program of programs) await program.kill();
    rmSync(path, { force: true });
  }
}

/** A client that has started the server reports for both. */
function sum(...values) {
  return values.reduce((total, value = 0) => total + value, 0);
}

/** How long a CPU has had nothing to do, by the kernel's ticks of 10 ms. */
function idleSeconds(cpu) {
  const [, , , , idle, ioWait] = new RegExp(`^cpu${cpu} .*$`, 'm')
    .exec(readFileSync('/proc/stat', 'utf8'))[0]
    .split(' ');
  return (Number(idle) + Number(ioWait)) / 100;
}

/**
 * One run of one contestant: messages (or whatever is counted) per second, and the CPU time of both processes
 * for each. A run that others have disturbed is done again; if all were, the
 * least disturbed is returned, and says so.
 */
export async function measureRate({ server, client, size, variants, endless, warmsUp }, conditions) {
  const warmUp = warmsUp ? conditions.warmUp : Math.min(conditions.warmUp, COMPILED_WARM_UP_MS);
  let best;
  for (let tries = 0; tries < TRIES; tries++) {
    const reports = await run(
      { command: server, size, variants },
      { command: client, size, variants },
      { ...conditions, warmUp },
      endless,
    );
    const { messages, seconds } = { ...reports.client, ...reports.server };
    if (!(messages > 0 && seconds > 0)) throw new Error('nothing was reported');
    const cpuSeconds = endless ? undefined : sum(reports.client.cpuSeconds, reports.server.cpuSeconds);
    const share = cpuSeconds / seconds;
    const onOneCpu = conditions.cpus[0] === conditions.cpus[1];
    const disturbed = onOneCpu && share < LEAST_SHARE && reports.idle < 0.1 * seconds;
    const cpuMicroseconds = (cpuSeconds / messages) * 1e6;
    if (best === undefined || share > best.share) {
      best = { perSecond: messages / seconds, cpuMicroseconds, share, disturbed };
    }
    if (!disturbed) break;
  }
  return best;
}

/** Opened before anything is measured, so that code and tables are there, and the heap has its working size. */
export const FIRST_CONNECTIONS = 4000;

/** What idle connections cost the process that has accepted them. The other ends are another process's. */
export async function measureIdle({ server, client, size, first = FIRST_CONNECTIONS }, { cpus }) {
  const serverRun = { command: server, size, variants: [first] };
  const clientRun = { command: client, size: size + first };
  return (await run(serverRun, clientRun, { cpus, warmUp: 0, measure: 0 })).server;
}

/** The cost of operations that wait, all in one process. */
export async function measurePending({ client, size }, conditions) {
  return (await run({}, { command: client, size }, conditions)).client.microseconds;
}
