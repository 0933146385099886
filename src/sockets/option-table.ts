/** Tables of options, and the functions that check, read and set each option. */
import { checkBoolean, checkInteger } from '../arguments';
import { type FileDescriptor, fileDescriptorOf } from '../descriptors/file-descriptor';
import { invalidValue, systemError } from '../errors';
import {
  ENODATA,
  ENOTCONN,
  SO_DEBUG,
  SO_PASSCRED,
  SO_PEERPIDFD,
  SO_PEERSEC,
  SO_RCVBUF,
  SO_SNDBUF,
  SOL_SOCKET,
} from '../system/linux';
import { os } from '../system/os';
import { type PeerCredentials, peerCredentials, peerGroups } from '../system/peer-credentials';
import { getIntegerOption, getVariableOption, setIntegerOption } from '../system/socket-options';

/** The functions to read and to set an option of a `Target`. */
export interface Option<Target, Value> {
  get?(target: Target): Value;
  set?: {
    /** Returns the value if it is valid, and throws otherwise. */
    check(value: unknown): Value;
    apply(target: Target, value: Value): void;
  };
}

/** The target of a kernel option, which needs only the descriptor. */
export interface HasDescriptor {
  readonly fd: number;
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

function remoteCredentials({ fd }: HasDescriptor): PeerCredentials {
  return { ...peerCredentials(fd), groups: peerGroups(fd) };
}

function remoteSecurityLabel({ fd }: HasDescriptor): string {
  return getVariableOption(fd, SO_PEERSEC).toString().replace(/\0$/, '');
}

function remotePidFd({ fd }: HasDescriptor): FileDescriptor {
  const pidFd = new Int32Array(1);
  const result = os.getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, pidFd);
  // Linux reports a missing peer with ENODATA here, and with ENOTCONN for the other options.
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
