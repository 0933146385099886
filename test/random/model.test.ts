/**
 * Random sequences of every operation on sockets, each compared with a model (support/model/): the value that it
 * returns, the error that it throws, the promises that settle, with their values and in their order, the state of every
 * socket, the open descriptors of this process, and the socket files.
 *
 *   SEQPACKET_MODEL_STEPS=200000   runs at least this many steps; the default is a run of 1 second
 *   SEQPACKET_SEED=…               repeats a run
 */
import { test } from 'node:test';
import { assertAgreement } from '../support/model/agreement.js';
import { SOCKET_BIASES } from '../support/model/biases.js';
import { World } from '../support/model/real/world.js';
import { SOCKET_COMMANDS } from '../support/model/sequences.js';

test('random operations agree with the model', (t) =>
  assertAgreement(t, (patience) => new World(patience), SOCKET_COMMANDS, SOCKET_BIASES));
