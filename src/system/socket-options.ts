/** The options of sockets: one table for getting and setting (socket(7), unix(7)). */

import { checkBoolean, checkInteger } from '../arguments';
import { type FileDescriptor, fileDescriptorOf } from '../descriptors/file-descriptor';
import { invalidValue, systemError } from '../errors';
import type { Credentials } from '../messages/ancillary-data';
import {
  ENODATA,
  ENOTCONN,
  ERANGE,
  SO_DEBUG,
  SO_PASSCRED,
  SO_PEERCRED,
  SO_PEERGROUPS,
  SO_PEERPIDFD,
  SO_PEERSEC,
  SO_RCVBUF,
  SO_SNDBUF,
  SOL_SOCKET,
} from './linux';
import { os } from './os';

/** Who is at the other end, as the kernel saw it when the connection was made (SO_PEERCRED in unix(7)). */
export interface PeerCredentials {
  /** As seen from this process's pid namespace; 0 if the peer is not in it. */
  pid: number;
  uid: number;
  gid: number;
  /** The supplementary groups (SO_PEERGROUPS). */
  groups: number[];
}

/** How an option is read and set; `Target` is what it is an option of. */
export interface Option<Target, Value> {
  get?(target: Target): Value;
  set?: {
    /** Returns the value if it is one; throws otherwise. */
    check(value: unknown): Value;
    apply(target: Target, value: Value): void;
  };
}

/** An option of the kernel's, for which the descriptor is enough. */
export interface HasDescriptor {
  readonly fd: number;
}

export function getSocketOption(fd: number, name: number, value: Uint8Array | Int32Array): number {
  const length = os.getsockopt(fd, SOL_SOCKET, name, value);
  if (length < 0) throw systemError('getsockopt', length);
  return length;
}

export function getIntegerOption(fd: number, name: number): number {
  const value = new Int32Array(1);
  getSocketOption(fd, name, value);
  return value[0] as number;
}

export function setIntegerOption(fd: number, name: number, value: number): void {
  const result = os.setsockopt(fd, SOL_SOCKET, name, Int32Array.of(value));
  if (result < 0) throw systemError('setsockopt', result);
}

function flag(name: number): Option<HasDescriptor, boolean> {
  return {
    get: ({ fd }) => getIntegerOption(fd, name) !== 0,
    set: {
      check: (value) => checkBoolean(value, 'value'),
      apply: ({ fd }, value) => setIntegerOption(fd, name, value ? 1 : 0),
    },
  };
}

function bufferSize(name: number): Option<HasDescriptor, number> {
  return {
    get: ({ fd }) => getIntegerOption(fd, name),
    set: {
      check: (value) => checkInteger(value, 'value'),
      apply: ({ fd }, value) => setIntegerOption(fd, name, value),
    },
  };
}

const LARGEST_VARIABLE_OPTION = 1 << 20;

/** An option whose length is not known: the kernel says ERANGE until the room suffices. */
function getVariableOption(fd: number, name: number): Buffer {
  for (let room = 256; ; room *= 4) {
    const value = Buffer.alloc(room);
    const length = os.getsockopt(fd, SOL_SOCKET, name, value);
    if (length >= 0) return value.subarray(0, length);
    if (length !== -ERANGE || room > LARGEST_VARIABLE_OPTION) throw systemError('getsockopt', length);
  }
}

/** What the kernel has for the user of a socket that has no peer. */
const NOBODY = -1;

/** The process at the other end (SO_PEERCRED). */
export function peerCredentials(fd: number): Credentials {
  const credentials = new Int32Array(3);
  getSocketOption(fd, SO_PEERCRED, credentials);
  const [pid, uid, gid] = credentials as unknown as [number, number, number];
  if (uid === NOBODY) throw systemError('getsockopt', -ENOTCONN);
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}

/** Its supplementary groups (SO_PEERGROUPS). */
export function peerGroups(fd: number): number[] {
  const value = getVariableOption(fd, SO_PEERGROUPS);
  return Array.from({ length: value.length / 4 }, (_, index) => value.readUInt32LE(4 * index));
}

function remoteCredentials({ fd }: HasDescriptor): PeerCredentials {
  return { ...peerCredentials(fd), groups: peerGroups(fd) };
}

function remoteSecurityLabel({ fd }: HasDescriptor): string {
  return getVariableOption(fd, SO_PEERSEC).toString().replace(/\0$/, '');
}

function remotePidFd({ fd }: HasDescriptor): FileDescriptor {
  const pidFd = new Int32Array(1);
  const result = os.getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, pidFd);
  // So Linux says that there is no peer; what else there is to know of one is ENOTCONN then.
  if (result === -ENODATA) throw systemError('getsockopt', -ENOTCONN);
  if (result < 0) throw systemError('getsockopt', result);
  return fileDescriptorOf(pidFd[0] as number);
}

export const DEBUG = flag(SO_DEBUG);
export const SEND_BUFFER_SIZE = bufferSize(SO_SNDBUF);
export const RECEIVE_BUFFER_SIZE = bufferSize(SO_RCVBUF);
export const PASS_CREDENTIALS = flag(SO_PASSCRED);
export const REMOTE_PIDFD: Option<HasDescriptor, FileDescriptor> = { get: remotePidFd };
export const REMOTE_CREDENTIALS = { get: remoteCredentials };
export const REMOTE_SECURITY_LABEL: Option<HasDescriptor, string> = { get: remoteSecurityLabel };

// biome-ignore lint/suspicious/noExplicitAny: the options of a table have values of different types
export type OptionTable<Target> = Readonly<Record<string, Option<Target, any>>>;

export function getOption<Target>(table: OptionTable<Target>, name: string, target: () => Target): unknown {
  return findOption(table, name, 'get')(target());
}

export function setOption<Target>(
  table: OptionTable<Target>,
  name: string,
  target: () => Target,
  value: unknown,
): void {
  const option = findOption(table, name, 'set');
  const checked = option.check(value);
  option.apply(target(), checked);
}

function findOption<Target, Use extends 'get' | 'set'>(
  table: OptionTable<Target>,
  name: string,
  use: Use,
): NonNullable<Option<Target, unknown>[Use]> {
  const found = Object.hasOwn(table, name) ? table[name]?.[use] : undefined;
  if (found !== undefined) return found;
  const names = Object.keys(table).filter((each) => table[each]?.[use] !== undefined);
  const verb = use === 'get' ? 'read' : 'set';
  throw invalidValue('name', `must be an option that can be ${verb}: ${names.join(', ')}`, name);
}
