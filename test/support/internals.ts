import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The operating system layer, for tests that need a system call which the face does not offer. */
export const { os } = require('../../../dist/system/os.js') as typeof import('../../src/system/os.js');
