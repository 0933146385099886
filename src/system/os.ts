/** The back end of this process. If there is none, every call throws. */
import { unsupported } from '../errors';
import { loadAddon } from './addon';
import type { OperatingSystem } from './operating-system';

/** Defers a failure to the first call, so that the library can be imported on any system. */
function backEnd(): OperatingSystem {
  try {
    if (process.platform === 'linux') return loadAddon();
    throw unsupported(
      `seqpacket works on Linux only, not on ${process.platform}: no other system has AF_UNIX + SOCK_SEQPACKET sockets with the semantics that this library promises`,
    );
  } catch (error) {
    const fail = () => {
      throw error;
    };
    return new Proxy({} as OperatingSystem, { get: () => fail });
  }
}

export const os: OperatingSystem = backEnd();
