// What all programs for Node.js share: their arguments, when to measure, and what they report. The same in
// C: c/measuring.c; see README.md for the roles.
const [role, path, size, warmUp, measure, ...variants] = process.argv.slice(2);

export const work = {
  role,
  path,
  /** Of a message, in bytes; in some roles a number of connections. */
  size: Number(size),
  warmUpMilliseconds: Number(warmUp),
  measureMilliseconds: Number(measure),
  variants,
};

/** What the first byte of each message says. */
export const WARM_UP = 0;
export const MEASURED = 1;
export const LAST = 2;

export function report(values) {
  process.stdout.write(`${JSON.stringify(values)}\n`);
}

export function reportReady() {
  report({ ready: true });
}

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The sending side: which message comes next, by the clock. */
export class Pace {
  #phase = WARM_UP;
  #untilCheck = 1;
  #began = 0;
  #cpuSeconds = 0;
  #count = 0;
  #checkEvery;
  #messages;

  constructor(bytes = work.size) {
    this.#checkEvery = bytes < 16_384 ? 64 : 4;
    this.#messages = [WARM_UP, MEASURED, LAST].map((phase) => Buffer.alloc(bytes, phase));
  }

  /** The next message, or undefined after the last. The caller must not write to it. */
  next() {
    this.#count++;
    if (--this.#untilCheck > 0 && this.#phase !== LAST) return this.#messages[this.#phase];
    if (this.#phase === LAST) return undefined;
    const now = performance.now();
    if (this.#began === 0) this.#began = now;
    if (this.#phase === WARM_UP && now - this.#began >= work.warmUpMilliseconds) {
      this.#phase = MEASURED;
      this.#began = now;
      this.#cpuSeconds = cpuSeconds();
      this.#count = 1;
    } else if (this.#phase === MEASURED && now - this.#began >= work.measureMilliseconds) {
      this.#phase = LAST;
    }
    this.#untilCheck = this.#checkEvery;
    return this.#messages[this.#phase];
  }

  /** The next messages, at most so many; none after the last. */
  nextBatch(most) {
    const messages = [];
    while (messages.length < most) {
      const message = this.next();
      if (message === undefined) break;
      messages.push(message);
    }
    return messages;
  }

  /** For a role that sends and receives the answers: their number, and the time. */
  reportMeasured() {
    const seconds = (performance.now() - this.#began) / 1000;
    // The one call too many was the one that said that there is no more.
    report({ messages: this.#count - 1, seconds, cpuSeconds: cpuSeconds() - this.#cpuSeconds });
  }

  /** For a role that only sends. The receiver reports when the messages arrived. */
  reportUsed() {
    report({ cpuSeconds: cpuSeconds() - this.#cpuSeconds });
  }
}

/** The receiving side. */
export class Meter {
  #phase = WARM_UP;
  #count = 0;
  #began = 0;
  #seconds = 0;
  #cpuSeconds = 0;

  /** Notes a message by its first byte; false after the last. */
  saw(phase) {
    this.#count++;
    return phase === this.#phase || this.#change(phase);
  }

  #change(phase) {
    if (phase < this.#phase || phase > LAST) throw new Error(`a message begins with ${phase}`);
    this.#phase = phase;
    if (phase === LAST) {
      this.#seconds = (performance.now() - this.#began) / 1000;
      return false;
    }
    this.#began = performance.now();
    this.#cpuSeconds = cpuSeconds();
    this.#count = 0;
    return true;
  }

  report() {
    const used = cpuSeconds() - this.#cpuSeconds;
    report({ messages: this.#count, seconds: this.#seconds, cpuSeconds: used });
  }
}

/** Plays the role that the arguments name. */
export async function play(roles) {
  const { [work.role]: run } = roles;
  if (run === undefined) throw new Error(`no role ${work.role}`);
  await run();
}
