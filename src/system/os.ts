/** The operating system of this process: the back end, or a refusal where there is none. */
import { unsupported } from '../errors';
import { loadAddon } from './addon';
import type { OperatingSystem } from './operating-system';

/** Whatever fails here is thrown by the first call: to import the library works everywhere. */
function backEnd(): OperatingSystem {
  try {
    if (process.platform === 'linux') return loadAddon();
    throw unsupported(
      `seqpacket works on Linux only, not on ${process.platform}: no other system has AF_UNIX + SOCK_SEQPACKET sockets with the semantics that this library promises`,
    );
  } catch (error) {
    const refuse = () => {
      throw error;
    };
    return new Proxy({} as OperatingSystem, { get: () => refuse });
  }
}

export const os: OperatingSystem = backEnd();
