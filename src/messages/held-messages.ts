/** Messages that have left the kernel's queue and were not delivered yet. */
import { type FileDescriptor, fileDescriptorOf, transferDescriptor } from '../descriptors/file-descriptor';
import { os } from '../system/os';
import type { Credentials } from '../system/peer-credentials';
import type { AncillaryData } from './ancillary-data';

export interface HeldMessage {
  readonly data: Buffer;
  readonly fds: readonly FileDescriptor[];
  readonly truncated: boolean;
  readonly credentials: Credentials | undefined;
  readonly cut: boolean;
}

export class HeldMessages {
  #messages: HeldMessage[] = [];

  get length(): number {
    return this.#messages.length;
  }

  get first(): HeldMessage | undefined {
    return this.#messages.length === 0 ? undefined : this.#messages[0];
  }

  /** The total length of the messages, in bytes. */
  get bytes(): number {
    return this.#messages.reduce((bytes, { data }) => bytes + data.length, 0);
  }

  [Symbol.iterator](): Iterator<HeldMessage> {
    return this.#messages[Symbol.iterator]();
  }

  /** Adds a message, and takes ownership of its descriptors. */
  add(data: Buffer, { fds, truncated, credentials, cut }: AncillaryData): void {
    this.#messages.push({ data, fds: fds.map(fileDescriptorOf), truncated, credentials, cut });
  }

  /** Removes the first message and returns its ancillary data. The caller owns the descriptors. */
  shift(): AncillaryData {
    const { fds, truncated, credentials } = this.#messages.shift() as HeldMessage;
    return { fds: fds.map(transferDescriptor), truncated, credentials, present: true, cut: false };
  }

  /** Removes the first message, and closes its descriptors. */
  discard(): void {
    for (const fd of this.#messages.shift()?.fds ?? []) fd.close();
  }

  /**
   * Returns the ancillary data of the first message for a peek, with duplicates of its descriptors. As with the kernel,
   * there are fewer duplicates if this process cannot open all of them. The caller owns the duplicates.
   */
  peek(): AncillaryData {
    const { fds: originals, truncated, credentials } = this.#messages[0] as HeldMessage;
    const fds: number[] = [];
    for (const { fd } of originals) {
      const duplicate = os.dup(fd);
      if (duplicate < 0) return { fds, truncated: true, credentials, present: true, cut: false };
      fds.push(duplicate);
    }
    return { fds, truncated, credentials, present: true, cut: false };
  }

  /** Removes all messages, and closes their descriptors. */
  clear(): void {
    while (this.#messages.length > 0) this.discard();
  }
}
