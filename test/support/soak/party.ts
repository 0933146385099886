/** One process of the soak: it connects to the other one and is connected to, many times over. */
import { openSync } from 'node:fs';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { connect, listen, pair, type SeqpacketAcceptor, type SeqpacketSocket } from 'seqpacket';
import { openDescriptors } from '../descriptors.js';
import { type Account, Ledger } from './ledger.js';
import { emptyTally, type Failure, Link, type Surroundings, type Tally } from './link.js';
import { type Plan, PYTHON, planOf, type Side } from './plan.js';
import { runPython } from './python.js';
import { Random } from './random.js';
import type { Assignment } from './worker.js';

/** How many connections this process makes at once; the other one makes as many. */
const CONNECTIONS = 4;
const MOST_WORKERS = 2;
/** Until then the heap of newer versions of Node.js grows. */
const WARM_UP = 20_000;

export interface Setting {
  seed: number;
  /** The process that runs the test is 0. */
  role: Side;
  /** Where this one listens, and the other one. */
  paths: readonly [string, string];
  files: readonly string[];
  /** A file with the table of message.ts; undefined where there is no Python. */
  table: string | undefined;
  /** The other process. */
  peer: number;
  patience: number;
}

/** What came of one end of a connection. */
export interface Finished {
  connection: number;
  side: Side;
  account: Account;
  isTerminated: boolean;
}

export interface Memory {
  resident: number;
  /** The heap, and what its objects hold outside of it. */
  held: number;
}

export interface Result {
  /** Descriptors that were not open at the start. */
  leaked: readonly string[];
  /** By how many bytes it has grown since the warm-up; undefined if the soak was too short for that. */
  growth: Memory | undefined;
  tally: Tally;
}

/** A whole conversation of Python takes long on a busy machine: that much more than a single step of ours. */
const PYTHON_PATIENCE = 6;

export class Party {
  readonly #surroundings: Surroundings;
  readonly #random: Random;
  readonly #links = new Set<Link>();
  readonly #served = new Set<Promise<void>>();
  readonly #descriptors: ReadonlyMap<number, string>;
  #acceptor: SeqpacketAcceptor;
  #accepting: Promise<void>;
  #connections = 0;
  #workers = 0;
  #isStopped = false;
  #isOver = false;
  #memory: Memory | undefined;
  readonly #warmUp: NodeJS.Timeout;

  static async begin(
    setting: Setting,
    report: (fault: string) => void,
    finished: (finished: Finished) => void,
  ): Promise<Party> {
    const files = setting.files.map((file) => openSync(file, 'r'));
    // What is opened for the first worker, and for the first operation that waits, stays open.
    await new Promise((resolve) => new Worker(workerFile).once('exit', resolve));
    const [a, b] = pair();
    const received = b.receiveMessage();
    await a.send('');
    await received.catch(() => {});
    a.close();
    b.close();
    return new Party(setting, files, report, finished);
  }

  private constructor(
    private readonly setting: Setting,
    files: readonly number[],
    private readonly report: (fault: string) => void,
    private readonly finished: (finished: Finished) => void,
  ) {
    const { seed, peer, patience, role, paths } = setting;
    this.#surroundings = { seed, files, peer, patience, report, tally: emptyTally() };
    this.#random = new Random(seed, role, 1);
    this.#descriptors = openDescriptors();
    this.#acceptor = listen(paths[role]);
    this.#accepting = this.#accept();
    process.on('warning', (warning) => {
      if (warning.name !== 'ExperimentalWarning') report(`warning: ${inspect(warning)}`);
    });
    process.on('unhandledRejection', (reason) => report(`unhandled rejection: ${inspect(reason)}`));
    this.#warmUp = setTimeout(() => {
      settle().then(() => {
        this.#memory = memory();
      });
    }, WARM_UP);
  }

  /** Connects until it is stopped. */
  async run(): Promise<void> {
    const connecting = Array.from({ length: CONNECTIONS }, () => this.#connectAgainAndAgain());
    await Promise.all([...connecting, this.#connectFromPython()]);
  }

  stop(): void {
    this.#isStopped = true;
    for (const link of this.#links) link.hurries = true;
  }

  /** To be called when the other process, too, makes no more connections. */
  async end(): Promise<Result> {
    clearTimeout(this.#warmUp);
    await Promise.all(this.#served);
    this.#isOver = true;
    this.#acceptor.close();
    await this.#accepting;
    await settle();
    const { resident, held } = memory();
    const before = this.#memory;
    const growth = before && { resident: resident - before.resident, held: held - before.held };
    // Threads that end close their descriptors a moment later.
    for (let i = 0; i < 100 && this.#leaked.length > 0; i++) await sleep(20);
    return { leaked: this.#leaked, growth, tally: this.#surroundings.tally };
  }

  get #leaked(): string[] {
    return [...openDescriptors()]
      .filter(([fd, file]) => this.#descriptors.get(fd) !== file)
      .map(([fd, file]) => `${fd} -> ${file}`);
  }

  async #connectAgainAndAgain(): Promise<void> {
    while (!this.#isStopped) {
      const connection = 2 * this.#connections++ + this.setting.role;
      try {
        const socket = await this.#within('connect', this.#connect());
        await this.#within('hello', socket.send(`hello ${connection}`));
        await this.#run(socket, connection, 0);
      } catch (error) {
        this.report(`connection ${connection} was not made: ${inspect(error)}`);
        await sleep(100);
      }
    }
  }

  async #connectFromPython(): Promise<void> {
    const { paths, role, files, table, seed } = this.setting;
    if (table === undefined) return;
    for (let connection = PYTHON + role; !this.#isStopped; connection += 2) {
      const { messages, end, ender } = planOf(seed, connection);
      const path = paths[role];
      const closes = end === 'close' && ender === 0;
      const peerCloses = end === 'close' && ender === 1;
      try {
        const python = runPython({
          path,
          table,
          connection,
          seed,
          messages: messages[0],
          closes,
          peerCloses,
          files,
        });
        const account = await this.#within('Python', python, PYTHON_PATIENCE);
        this.#surroundings.tally['with Python']++;
        this.finished({ connection, side: 0, account, isTerminated: false });
      } catch (error) {
        this.report(`connection ${connection}: ${inspect(error)}`);
      }
      // Python takes more of a processor than all the rest.
      await sleep(this.#random.between(0, 1000));
    }
  }

  async #connect(): Promise<SeqpacketSocket> {
    const path = this.setting.paths[1 - this.setting.role] as string;
    for (;;) {
      const controller = new AbortController();
      const abort = () => controller.abort();
      const isAborted = this.#random.chance(0.2);
      if (isAborted) this.#random.pick([queueMicrotask, setImmediate, process.nextTick, setTimeout])(abort);
      try {
        return await connect(path, { signal: controller.signal });
      } catch (error) {
        if (!isAborted || (error as Failure).code !== 'ABORT_ERR') throw error;
      }
    }
  }

  async #accept(): Promise<void> {
    while (!this.#isOver) {
      const controller = new AbortController();
      if (this.#random.chance(0.3)) setTimeout(() => controller.abort(), this.#random.between(0, 5)).unref();
      try {
        const serving = this.#serve(await this.#acceptor.accept({ signal: controller.signal }));
        this.#served.add(serving);
        serving.then(() => this.#served.delete(serving));
      } catch (error) {
        const { code } = error as Failure;
        if (code !== 'ABORT_ERR' && !(code === 'ECANCELED' && this.#isOver)) {
          this.report(`accept: ${inspect(error)}`);
          return;
        }
      }
    }
  }

  async #serve(socket: SeqpacketSocket): Promise<void> {
    try {
      const { data } = await this.#within('reading hello', socket.receiveMessage());
      const connection = Number(/^hello (\d+)$/.exec(data.toString('latin1'))?.[1]);
      if (Number.isNaN(connection))
        throw new Error(`The first message is ${data.toString('latin1', 0, 100)}`);
      await this.#run(socket, connection, 1);
    } catch (error) {
      socket.close();
      // The connect was aborted after the kernel had made the connection.
      if ((error as Failure).code !== 'EOF') this.report(`serving: ${inspect(error)}`);
    }
  }

  async #run(socket: SeqpacketSocket, connection: number, side: Side): Promise<void> {
    const plan = planOf(this.setting.seed, connection);
    const ledger = new Ledger();
    const isEnder = plan.end !== 'orderly' && plan.ender === side;
    const isTerminated = isEnder && plan.end === 'terminate' && this.#workers < MOST_WORKERS;
    if (isTerminated) await this.#runInWorker(socket, connection, side, plan, ledger);
    else {
      const link = new Link(socket, connection, side, plan, ledger, this.#surroundings);
      link.hurries = this.#isStopped;
      this.#links.add(link);
      await link.run(isEnder ? plan.endsAfter : undefined);
      this.#links.delete(link);
    }
    this.finished({ connection, side, account: ledger.account, isTerminated });
  }

  async #runInWorker(
    socket: SeqpacketSocket,
    connection: number,
    side: Side,
    plan: Plan,
    { memory }: Ledger,
  ): Promise<void> {
    this.#workers++;
    try {
      const { seed, files, peer, patience, tally } = this.#surroundings;
      const fd = socket.release().detach();
      const workerData: Assignment = {
        fd,
        connection,
        side,
        plan,
        memory,
        surroundings: { seed, files, peer, patience },
      };
      const worker = new Worker(workerFile, { workerData });
      worker.on('error', (error) => this.report(`worker: ${inspect(error)}`));
      const adopted = new Promise<void>((resolve) => {
        worker.on('message', (message) => {
          if (message === 'adopted') resolve();
          else this.report(message.fault);
        });
      });
      await this.#within('start of a worker', adopted);
      await sleep(plan.endsAfter);
      await worker.terminate();
      tally.terminated++;
    } finally {
      this.#workers--;
    }
  }

  /** A promise that does not settle is a fault, too. */
  async #within<T>(name: string, promise: Promise<T>, times = 1): Promise<T> {
    const hung = setTimeout(() => this.report(`${name} hangs`), 1000 * this.setting.patience * times);
    try {
      return await promise;
    } finally {
      clearTimeout(hung);
    }
  }
}

const workerFile = new URL('./worker.js', import.meta.url);

function memory(): Memory {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, held: heapUsed + external };
}

/** Lets finalizers and close callbacks run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await turn();
  }
}
