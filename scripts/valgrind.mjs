// Runs a part of the tests under valgrind: those that cover the C layer without starting programs of their
// own. Slow: the interpreter is used (--jitless), which valgrind understands.
import { run } from './native.mjs';

const files = [
  'promises/messages',
  'descriptors/descriptor-passing',
  'promises/empty-messages',
  'promises/nothing-is-cut',
  'sockets/batches',
];

const options = [
  '--quiet',
  '--error-exitcode=9',
  '--leak-check=full',
  '--show-leak-kinds=definite',
  '--errors-for-leak-kinds=definite',
  '--suppressions=scripts/valgrind.supp',
];

for (const file of files) {
  console.log(`valgrind: ${file}`);
  const test = ['--jitless', '--expose-gc', '--test-reporter=dot', `build/test/${file}.test.js`];
  run('valgrind', [...options, process.execPath, ...test], {
    env: { ...process.env, SEQPACKET_SANITIZED: '1' },
  });
}
