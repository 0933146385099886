/** Descriptors that came with a message: told of, saved or printed, and closed. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FileDescriptor } from 'seqpacket';
import { type Description, inWords } from '../kernel/descriptors.js';
import type { Incoming } from '../messages/framing.js';
import { cannotOpen, Failure, reasonOf } from '../process/failure.js';
import type { Patience } from '../process/idle-timeout.js';
import { stdout } from '../process/output.js';
import { stopped } from '../process/stopping.js';
import { tell, tellFailure } from '../process/terminal.js';

export interface DescriptorOptions {
  /** A directory for what the descriptors hold. */
  saveFds?: string | undefined;
  /** Whether to write what they hold to standard output. */
  printFds?: boolean | undefined;
}

export class ReceivedDescriptors {
  failed = false;
  readonly #options: DescriptorOptions;
  readonly #patience: Patience;
  readonly #copies = new Set<Promise<void>>();
  #messages = 0;

  private constructor(options: DescriptorOptions, patience: Patience) {
    this.#options = options;
    this.#patience = patience;
  }

  static async create(options: DescriptorOptions, patience: Patience): Promise<ReceivedDescriptors> {
    const { saveFds } = options;
    if (saveFds !== undefined) {
      await mkdir(saveFds, { recursive: true }).catch((error) => {
        throw cannotOpen(saveFds, error);
      });
    }
    return new ReceivedDescriptors(options, patience);
  }

  /** Takes over the descriptors of a message. */
  async take({ message, descriptions }: Incoming): Promise<void> {
    this.#messages++;
    for (const [index, fd] of message.fds.entries()) {
      const description = descriptions[index]!;
      const name = `${this.#messages}-${index}`;
      const { saveFds, printFds } = this.#options;
      if ((printFds || saveFds !== undefined) && !isCopyable(description)) {
        tell(`descriptor ${name} is not copied: ${inWords(description)}`);
        fd.close();
        continue;
      }
      if (printFds) await this.#copy(fd.dup(), description, name, process.stdout);
      if (saveFds !== undefined) {
        const copy = this.#copy(fd.dup(), description, name, join(saveFds, name));
        // A pipe may take as long as whoever writes into it likes.
        this.#copies.add(copy);
        copy.finally(() => this.#copies.delete(copy));
      }
      fd.close();
    }
  }

  /** Waits for what is still being saved. */
  async finished(): Promise<void> {
    await Promise.all(this.#copies);
    if (stopped.aborted) return;
    this.#patience.check('nothing came from a descriptor');
    if (this.failed) throw new Failure('not everything that was received could be saved');
  }

  async #copy(fd: FileDescriptor, what: Description, name: string, to: Writable | string): Promise<void> {
    const source = sourceOf(fd, what);
    const patience = this.#patience;
    const { signal } = patience;
    const watched = async function* (pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        patience.touch();
        yield piece;
      }
    };
    try {
      if (typeof to === 'string') await pipeline(source, watched, createWriteStream(to), { signal });
      else {
        await stdout.flushed();
        await pipeline(source, watched, to, { end: false, signal });
      }
    } catch (error) {
      if (signal.aborted) return;
      this.failed = true;
      tellFailure(`descriptor ${name}, ${inWords(what)}: ${reasonOf(error)}`);
    }
  }
}

const FILES = ['file', 'memfd'];
const PIPES = ['pipe', 'named pipe'];

/** Whether it can be read, and to an end. */
function isCopyable({ kind, access }: Description): boolean {
  if (access === 'write-only' || access === 'path only') return false;
  return FILES.includes(kind) || PIPES.includes(kind);
}

/** A stream of what a descriptor holds, which closes it. */
function sourceOf(fd: FileDescriptor, { kind }: Description): Readable {
  if (PIPES.includes(kind)) return new Socket({ fd: fd.detach(), writable: false });
  // From the start, without moving the position, which the sender shares.
  return createReadStream('', { fd: fd.detach(), start: 0 });
}
