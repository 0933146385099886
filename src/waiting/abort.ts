/**
 * Operations that wait with an `AbortSignal`. However many share a signal, it gets one listener: a program
 * with one signal for everything is not warned of a leak.
 */
import { AbortError } from '../errors';

export interface Abortable {
  abort(error: AbortError): void;
}

class Watch {
  readonly #abortables = new Set<Abortable>();

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', this);
  }

  add(abortable: Abortable): void {
    this.#abortables.add(abortable);
  }

  delete(abortable: Abortable): void {
    this.#abortables.delete(abortable);
    if (this.#abortables.size > 0) return;
    this.signal.removeEventListener('abort', this);
    watches.delete(this.signal);
  }

  handleEvent(): void {
    for (const each of [...this.#abortables]) each.abort(new AbortError(this.signal));
  }
}

const watches = new WeakMap<AbortSignal, Watch>();

export function watch(signal: AbortSignal, abortable: Abortable): void {
  let known = watches.get(signal);
  if (known === undefined) {
    known = new Watch(signal);
    watches.set(signal, known);
  }
  known.add(abortable);
}

export function unwatch(signal: AbortSignal, abortable: Abortable): void {
  watches.get(signal)?.delete(abortable);
}
