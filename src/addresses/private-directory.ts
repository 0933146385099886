import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
} from 'node:fs';
import { systemError } from '../errors';
import { EPERM, O_PATH } from '../system/linux';
import { temporaryName } from './address';

const OWNER_ONLY = 0o700;
const OTHERS = 0o077;

/**
 * A new directory that only this user can enter. It is created inside a given directory, so that rename(2) and link(2)
 * work between the two.
 *
 * Its entries are accessed through its descriptor, not by its name. Other users with write permission for the parent
 * directory can rename it and put a symbolic link in its place, which chmod(2) would follow.
 */
export class PrivateDirectory {
  readonly #parent: number;
  readonly #descriptor: number;
  readonly #name = temporaryName();

  /** @throws the errors of `node:fs`; `EPERM` if another user has replaced the new directory */
  constructor(parent: Buffer) {
    this.#parent = openSync(parent, O_PATH | constants.O_DIRECTORY);
    try {
      mkdirSync(this.#path, OWNER_ONLY);
      try {
        this.#descriptor = openSync(this.#path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
        try {
          this.#checkPrivate(fstatSync(this.#descriptor, { bigint: true }));
        } catch (error) {
          closeSync(this.#descriptor);
          throw error;
        }
      } catch (error) {
        this.#removeName();
        throw error;
      }
    } catch (error) {
      closeSync(this.#parent);
      throw error;
    }
  }

  /** The path of an entry, through the descriptor of the directory. */
  entry(name: string | Buffer): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.#descriptor}/`), Buffer.from(name)]);
  }

  /** Removes the directory if it is empty, and closes its descriptors. */
  remove(): void {
    closeSync(this.#descriptor);
    this.#removeName();
    closeSync(this.#parent);
  }

  get #path(): string {
    return `/proc/self/fd/${this.#parent}/${this.#name}`;
  }

  #checkPrivate({ uid, mode }: BigIntStats): void {
    const bits = Number(mode) & (OWNER_ONLY | OTHERS);
    if (Number(uid) !== process.geteuid?.() || (bits & OTHERS) !== 0) throw systemError('mkdir', -EPERM);
    // The umask can clear the owner's permissions.
    if (bits !== OWNER_ONLY) chmodSync(`/proc/self/fd/${this.#descriptor}`, OWNER_ONLY);
  }

  #removeName(): void {
    try {
      rmdirSync(this.#path);
    } catch {
      // Renamed or replaced by another user with write permission for the parent, or not empty.
    }
  }
}
