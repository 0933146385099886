/**
 * The random sequences of commands. A new command goes into the file of its family in `commands/`, and its name at the
 * end of the list below; the result that it must have goes into `expected/`.
 */
import fc from 'fast-check';
import type { Bias } from './biases.js';
import type { CommandKind } from './command.js';
import {
  accept,
  acceptorOptions,
  assignAcceptor,
  bindAcceptor,
  cancelAcceptor,
  closeAcceptor,
  listenAtPath,
  listenOnAcceptor,
  openAcceptor,
  releaseAcceptor,
} from './commands/accepting.js';
import {
  acceptSync,
  connectSync,
  receiveManySync,
  receiveMessageSync,
  receiveSync,
  sendManySync,
  sendSync,
} from './commands/blocking.js';
import {
  next,
  sendLongest,
  shutdownOfChannel,
  waitForRoom,
  wrongArgumentOfChannel,
} from './commands/channels.js';
import { assignSocket, closeSocket, releaseSocket, shutdown } from './commands/closing.js';
import { bindSocket, connect, disconnect, openSocket, pair } from './commands/connecting.js';
import {
  adoptDescriptor,
  adoptUnopened,
  closeDescriptor,
  detach,
  dup,
  dupAcceptor,
  dupSocket,
} from './commands/descriptors.js';
import { placeFile, removeFile } from './commands/files.js';
import { borrow, endLease, lease, release } from './commands/lending.js';
import {
  getOption,
  ioControlOfClosed,
  refOrUnref,
  setEmptyMessages,
  setReceiveBufferSize,
  setSendBufferSize,
} from './commands/options.js';
import {
  receive,
  receiveBatch,
  receiveMany,
  receiveMessage,
  receiveWithFds,
  tryReceive,
} from './commands/receiving.js';
import { send, sendBatch, sendMany, sendWithFds, trySend } from './commands/sending.js';
import { abort, cancel, wait } from './commands/waiting.js';
import { wrongArgument } from './commands/wrong-arguments.js';

/** In the order on which the sequence that belongs to a seed depends. */
export const SOCKET_COMMANDS: readonly CommandKind[] = [
  pair,
  openSocket,
  bindSocket,
  connect,
  disconnect,
  send,
  sendWithFds,
  receive,
  receiveWithFds,
  receiveMessage,
  receiveMany,
  wait,
  sendMany,
  tryReceive,
  trySend,
  shutdown,
  cancel,
  abort,
  closeSocket,
  releaseSocket,
  assignSocket,
  setSendBufferSize,
  setReceiveBufferSize,
  setEmptyMessages,
  getOption,
  refOrUnref,
  ioControlOfClosed,
  wrongArgument,
  openAcceptor,
  bindAcceptor,
  listenOnAcceptor,
  accept,
  cancelAcceptor,
  closeAcceptor,
  releaseAcceptor,
  assignAcceptor,
  acceptorOptions,
  listenAtPath,
  adoptDescriptor,
  adoptUnopened,
  dup,
  dupSocket,
  dupAcceptor,
  closeDescriptor,
  detach,
  removeFile,
  placeFile,
  receiveBatch,
  sendBatch,
  receiveSync,
  receiveMessageSync,
  receiveManySync,
  sendSync,
  sendManySync,
  acceptSync,
  connectSync,
];

/** Those of a socket that a channel has, and those that only a channel has. */
export const CHANNEL_COMMANDS: readonly CommandKind[] = [
  pair,
  send,
  sendWithFds,
  receive,
  receiveWithFds,
  receiveMessage,
  receiveMany,
  wait,
  sendMany,
  tryReceive,
  trySend,
  cancel,
  abort,
  closeSocket,
  refOrUnref,
  adoptDescriptor,
  dup,
  closeDescriptor,
  receiveBatch,
  sendBatch,
  receiveMessageSync,
  sendSync,
  shutdownOfChannel,
  wrongArgumentOfChannel,
  sendLongest,
  waitForRoom,
  next,
  lease,
  endLease,
  borrow,
  release,
];

const LONGEST_RUN = 120;

export function sequences(commands: readonly CommandKind[], bias: Bias) {
  const weighted = commands.map(({ name, weight, arbitrary }) => {
    const [, factor] = bias.find(([names]) => names.test(name)) ?? [name, 1];
    return { weight: factor * weight, arbitrary };
  });
  return fc.commands([fc.oneof(...weighted)], { maxCommands: LONGEST_RUN, size: 'max' });
}
