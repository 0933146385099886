import { fstatSync } from 'node:fs';
import type { FileDescriptor, Message, ReceivedWithFds } from 'seqpacket';
import type { Room } from '../arguments/buffers.js';
import { isCloseOnExec } from './close-on-exec.js';
import { inodes } from './files.js';
import type { World } from './world.js';

export function contentsWithFds(room: Room, { bytesRead, fds, controlTruncated }: ReceivedWithFds) {
  return { ...room.contents(bytesRead), ...contentsOfFds(fds), controlTruncated };
}

export function contentsOfMessage(world: World, { data, fds, controlTruncated }: Message) {
  const contents = { bytesRead: data.length, data: world.noteMade(data), isRestUntouched: true };
  return { ...contents, ...contentsOfFds(fds), controlTruncated };
}

export function contentsOfFds(fds: readonly FileDescriptor[]) {
  return {
    files: fds.map(({ fd }) => inodes.indexOf(fstatSync(fd).ino)),
    areCloseOnExec: fds.every(isCloseOnExec),
  };
}
