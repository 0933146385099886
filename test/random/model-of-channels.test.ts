/**
 * The random sequences of model.test.ts on channels in shared memory: the operations that they have in common with
 * sockets, and those that only channels have. Whether a send has room is known to the byte.
 *
 *   SEQPACKET_MODEL_STEPS=200000   runs at least this many steps; the default is a run of 1 second
 *   SEQPACKET_SEED=…               repeats a run
 */
import { test } from 'node:test';
import { assertAgreement } from '../support/model/agreement.js';
import { CHANNEL_BIASES } from '../support/model/biases.js';
import { ChannelWorld } from '../support/model/real/channel-world.js';
import { CHANNEL_COMMANDS } from '../support/model/sequences.js';

test('random operations on channels agree with the model', (t) =>
  assertAgreement(t, (patience) => new ChannelWorld(patience), CHANNEL_COMMANDS, CHANNEL_BIASES));
