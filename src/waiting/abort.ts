/**
 * Waiting operations with an `AbortSignal`. All operations with the same signal share one event listener, so that many
 * of them do not cause Node's warning about a listener leak.
 */
import { AbortError } from '../errors';

export interface Abortable {
  abort(error: AbortError): void;
}

/** The event listener of one signal. */
class AbortListener {
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
    listeners.delete(this.signal);
  }

  handleEvent(): void {
    for (const abortable of [...this.#abortables]) abortable.abort(new AbortError(this.signal));
  }
}

const listeners = new WeakMap<AbortSignal, AbortListener>();

/** Calls `abort` of the operation when the signal is aborted. */
export function addAbortable(signal: AbortSignal, abortable: Abortable): void {
  let listener = listeners.get(signal);
  if (listener === undefined) {
    listener = new AbortListener(signal);
    listeners.set(signal, listener);
  }
  listener.add(abortable);
}

/** Reverses {@link addAbortable}. */
export function removeAbortable(signal: AbortSignal, abortable: Abortable): void {
  listeners.get(signal)?.delete(abortable);
}
