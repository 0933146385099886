/** A region of shared memory: a sealed file in memory (memfd_create(2)), mapped by both ends. */
import { systemError, unsupported } from '../errors';
import {
  EINVAL,
  ENOTSUP,
  EPROTO,
  F_ADD_SEALS,
  F_GET_SEALS,
  F_GETFL,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
  O_ACCMODE,
  O_RDWR,
  SEEK_END,
} from '../system/linux';
import { os } from '../system/os';
import { HEADER_BYTES, LARGEST_CAPACITY, SMALLEST_CAPACITY } from './layout';

const SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

/** The name of the file in /proc/PID/maps and /proc/PID/fd. */
const NAME = Buffer.from('seqpacket\0');

/** A mapped region. */
export class Region {
  /** The whole region, for the words of the header and the headers of records. */
  readonly words: Int32Array;
  /** The bytes of the ring. */
  readonly ring: Uint8Array;

  constructor(
    readonly memory: ArrayBuffer,
    readonly capacity: number,
  ) {
    this.words = new Int32Array(memory);
    this.ring = new Uint8Array(memory, HEADER_BYTES, capacity);
  }

  /** Unmaps the memory. All views of it, including those that the caller has, then have length 0. */
  close(): void {
    if (this.memory.byteLength > 0) os.munmap(this.memory);
  }
}

/**
 * Creates a region, with all of its memory allocated, so that no later write can fail.
 *
 * @returns the region and its descriptor, which the caller must close
 * @throws `ENOSPC` or `ENOMEM` without memory, `EMFILE`, `ENFILE`, `ENOSYS`;
 *   `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` if the runtime has no external ArrayBuffers
 */
export function createRegion(capacity: number): { region: Region; fd: number } {
  const fd = createFile();
  try {
    const bytes = HEADER_BYTES + capacity;
    check('ftruncate', os.ftruncate(fd, bytes));
    check('fallocate', os.fallocate(fd, 0, 0, bytes));
    check('fcntl', os.fcntl(fd, F_ADD_SEALS, SEALS));
    return { region: mapRegion(fd, capacity), fd };
  } catch (error) {
    os.close(fd);
    throw error;
  }
}

/** The flag that forbids to execute the file is unknown before Linux 6.3, and required by vm.memfd_noexec=2. */
function createFile(): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const fd = os.memfdCreate(NAME, flags | MFD_NOEXEC_SEAL);
  return check('memfd_create', fd === -EINVAL ? os.memfdCreate(NAME, flags) : fd);
}

/**
 * Maps the region of the peer. Keeps the descriptor open.
 *
 * @throws `EPROTO` if the descriptor is not that of a region with this capacity
 */
export function openRegion(fd: number, capacity: number): Region {
  const problem = problemOf(fd, capacity);
  if (problem !== undefined) throw systemError('shareMemory', -EPROTO, undefined, problem);
  return mapRegion(fd, capacity);
}

/** What is wrong with the region of the peer. Without the seals, the peer could shrink it, which would cause SIGBUS. */
function problemOf(fd: number, capacity: number): string | undefined {
  const isPowerOfTwo = (capacity & (capacity - 1)) === 0;
  if (!isPowerOfTwo || capacity < SMALLEST_CAPACITY || capacity > LARGEST_CAPACITY) {
    return `the capacity of the peer's ring is ${capacity} bytes, which is not a power of 2 from ${SMALLEST_CAPACITY} to ${LARGEST_CAPACITY}`;
  }
  const seals = os.fcntl(fd, F_GET_SEALS, 0);
  if (seals < 0) return "the peer's descriptor is not that of a file in memory (memfd_create)";
  if ((seals & SEALS) !== SEALS) return "the peer's memory is not sealed against changes of its size";
  if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0)
    return "the peer's memory is sealed against writing";
  if ((os.fcntl(fd, F_GETFL, 0) & O_ACCMODE) !== O_RDWR) {
    return "the peer's descriptor is not open for reading and writing";
  }
  const size = os.lseek(fd, 0, SEEK_END);
  if (size !== HEADER_BYTES + capacity) {
    return `the peer's memory has ${size} bytes instead of ${HEADER_BYTES + capacity}`;
  }
  return undefined;
}

function mapRegion(fd: number, capacity: number): Region {
  const memory = os.mmap(fd, HEADER_BYTES + capacity);
  if (typeof memory !== 'number') return new Region(memory, capacity);
  if (memory === -ENOTSUP) {
    throw unsupported(
      'This runtime does not permit ArrayBuffers in memory of their own, which sharing memory needs',
    );
  }
  throw systemError('mmap', memory);
}

function check(syscall: string, result: number): number {
  if (result < 0) throw systemError(syscall, result);
  return result;
}
