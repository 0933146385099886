/** Received descriptors: saved, printed, and closed. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FileDescriptor } from 'seqpacket';
import { type Description, formatDescription } from '../kernel/descriptors.js';
import type { Incoming } from '../messages/message.js';
import { cannotOpen, Failure, reasonOf } from '../process/failure.js';
import type { IdleTimeout } from '../process/idle-timeout.js';
import { stdout } from '../process/output.js';
import { stopSignal } from '../process/stopping.js';
import { printError, printRemark } from '../process/terminal.js';

export interface DescriptorOptions {
  /** A directory for the contents of files and pipes. */
  saveFds?: string | undefined;
  /** Whether to copy the contents to standard output. */
  printFds?: boolean | undefined;
}

export class ReceivedDescriptors {
  #hasFailed = false;
  readonly #options: DescriptorOptions;
  readonly #timeout: IdleTimeout;
  readonly #copies = new Set<Promise<void>>();
  #messages = 0;

  private constructor(options: DescriptorOptions, timeout: IdleTimeout) {
    this.#options = options;
    this.#timeout = timeout;
  }

  static async create(options: DescriptorOptions, timeout: IdleTimeout): Promise<ReceivedDescriptors> {
    const { saveFds } = options;
    if (saveFds !== undefined) {
      await mkdir(saveFds, { recursive: true }).catch((error) => {
        throw cannotOpen(saveFds, error);
      });
    }
    return new ReceivedDescriptors(options, timeout);
  }

  /** Takes ownership of the descriptors of a message. */
  async take({ message, descriptions }: Incoming): Promise<void> {
    this.#messages++;
    for (const [index, fd] of message.fds.entries()) {
      const description = descriptions[index]!;
      const name = `${this.#messages}-${index}`;
      const { saveFds, printFds } = this.#options;
      if ((printFds || saveFds !== undefined) && !isCopyable(description)) {
        printRemark(`descriptor ${name} is not copied: ${formatDescription(description)}`);
        fd.close();
        continue;
      }
      if (printFds) await this.#copy(fd.dup(), description, name, process.stdout);
      if (saveFds !== undefined) {
        const copy = this.#copy(fd.dup(), description, name, join(saveFds, name));
        // Not awaited here: a pipe ends only when its writers close it.
        this.#copies.add(copy);
        copy.finally(() => this.#copies.delete(copy));
      }
      fd.close();
    }
  }

  /**
   * Waits until everything has been saved.
   *
   * @throws {Failure} if a copy failed, or the timeout expired
   */
  async finishCopies(): Promise<void> {
    await Promise.all(this.#copies);
    if (stopSignal.aborted) return;
    this.#timeout.throwIfExpired('no data from a descriptor');
    if (this.#hasFailed) throw new Failure('not all descriptors could be saved');
  }

  async #copy(fd: FileDescriptor, what: Description, name: string, to: Writable | string): Promise<void> {
    const source = openStream(fd, what);
    const timeout = this.#timeout;
    const { signal } = timeout;
    const observed = async function* (pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        timeout.restart();
        yield piece;
      }
    };
    try {
      if (typeof to === 'string') await pipeline(source, observed, createWriteStream(to), { signal });
      else {
        await stdout.flush();
        await pipeline(source, observed, to, { end: false, signal });
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#hasFailed = true;
      printError(`descriptor ${name}, ${formatDescription(what)}: ${reasonOf(error)}`);
    }
  }
}

const FILES = ['file', 'memfd'];
const PIPES = ['pipe', 'named pipe'];

/** Whether the contents can be read to their end. */
function isCopyable({ kind, access }: Description): boolean {
  if (access === 'write-only' || access === 'path only') return false;
  return FILES.includes(kind) || PIPES.includes(kind);
}

/** A stream of the contents. Takes ownership of the descriptor. */
function openStream(fd: FileDescriptor, { kind }: Description): Readable {
  if (PIPES.includes(kind)) return new Socket({ fd: fd.detach(), writable: false });
  // pread(2) from the start: does not move the position, which the sender shares.
  return createReadStream('', { fd: fd.detach(), start: 0 });
}
