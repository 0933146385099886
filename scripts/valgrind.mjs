// Runs some tests under valgrind: those that cover the C layer and start no programs. Slow: valgrind needs the
// interpreter (--jitless).
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
