/** The sending side of one socket: send(2), sendmsg(2) and sendmmsg(2). */
import { byteLength, type Parts } from '../arguments';
import { systemError, tooLongToSend } from '../errors';
import { ECONNRESET, EMSGSIZE, MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL, SO_SNDBUF } from '../system/linux';
import { os } from '../system/os';
import { getIntegerOption } from '../system/socket-options';
import { encodeDescriptors } from './ancillary-data';
import { MAX_BATCH } from './batch';
import { Connection } from './connection';
import type { Slots } from './message-batch';
import type { MessageSink } from './message-sink';
import { stageMessages } from './staged-messages';

/** MSG_EOR marks the end of the message. Linux does not need it; other systems do. */
const SENDING_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR;

export abstract class Sender extends Connection implements MessageSink {
  readonly needsFirstTry = false;

  get mostMessages(): number {
    return MAX_BATCH;
  }

  send(parts: Parts, flags: number): number {
    return Array.isArray(parts)
      ? os.sendmsg(this.fd, parts, null, flags | SENDING_FLAGS)
      : os.send(this.fd, parts as Uint8Array, flags | SENDING_FLAGS);
  }

  sendWithFds(parts: Parts, fds: readonly number[], flags: number): number {
    return os.sendmsg(this.fd, parts, encodeDescriptors(fds), flags | SENDING_FLAGS);
  }

  sendMany(messages: readonly Parts[], start: number): number {
    const staged = stageMessages(messages, start);
    if (staged !== undefined) return this.sendSlots(staged, 0, staged.length);
    return os.sendmmsg(this.fd, messages, start, SENDING_FLAGS);
  }

  sendSlots({ memory, bytes, lengths }: Slots, start: number, count: number): number {
    return os.sendSlots(this.fd, memory, bytes, lengths, start, count, SENDING_FLAGS);
  }

  sendingFailure(errno: number, parts: Parts): Error {
    if (errno === -ECONNRESET) this.recordReset();
    if (errno === -EMSGSIZE) {
      return tooLongToSend(byteLength(parts), getIntegerOption(this.fd, SO_SNDBUF), this.name);
    }
    return systemError('sendmsg', errno, this.name);
  }
}
