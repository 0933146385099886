/** The credentials that came with messages. Most messages have the same. */
import type { MessageFrame } from '../../frames.js';

export type Credentials = NonNullable<MessageFrame['credentials']>;

export class CredentialsTable {
  readonly #all: Credentials[] = [];
  readonly #numbers = new Map<string, number>();

  /** 0 for none. */
  numberOf(credentials: Credentials | undefined): number {
    if (credentials === undefined) return 0;
    const key = `${credentials.pid} ${credentials.uid} ${credentials.gid}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#all.push(credentials);
      this.#numbers.set(key, number);
    }
    return number;
  }

  get(number: number): Credentials | undefined {
    return this.#all[number - 1];
  }
}
