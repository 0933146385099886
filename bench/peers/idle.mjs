// What idle connections cost the process that has accepted them.
import { readFileSync } from 'node:fs';
import { report, work } from './role.mjs';

/** How many are opened before anything is measured. */
const first = Number(work.variants[0]);

/** Counts the connections that the server has opened, and reports when there are all. */
export class Idle {
  /** Keeps them from being collected, as a server's own list would. */
  #connections = [];
  #before;

  /** @returns whether that was the last */
  opened(connection) {
    this.#connections.push(connection);
    if (this.#connections.length === first) this.#before = memory();
    if (this.#connections.length < first + work.size) return false;
    setTimeout(() => this.#report(), 200);
    return true;
  }

  #report() {
    const after = memory();
    const each = (name) => (after[name] - this.#before[name]) / work.size;
    report({
      connections: work.size,
      javascriptBytes: each('javascript'),
      privateBytes: each('private'),
      kernelBytes: each('kernel'),
    });
    process.exit();
  }
}

/** Bytes, after everything was collected that can be. */
function memory() {
  for (let i = 0; i < 4; i++) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return {
    javascript: heapUsed + external,
    // What this process has written to: the JavaScript heap and malloc's, not the kernel's share.
    private: kibibytes('/proc/self/smaps_rollup', 'Anonymous') * 1024,
    // Of the whole machine: other processes may add to it.
    kernel: kibibytes('/proc/meminfo', 'Slab') * 1024,
  };
}

function kibibytes(file, name) {
  return Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(readFileSync(file, 'utf8'))[1]);
}
