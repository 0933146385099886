/** What `.ci/run` and the workflows promise: the first failure ends a run, and publishing is kept apart from building. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missing } from '../support/programs.js';
import { scratchDirectory } from '../support/scratch.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const directory = join(root, '.github/workflows');
const workflows = readdirSync(directory).map((name) => ({
  name,
  text: readFileSync(join(directory, name), 'utf8'),
}));

/** Runs it with an npm that notes what it is asked for, and ends with an exit code of its own. */
function ci(exitCode: number, ...steps: string[]) {
  const bin = scratchDirectory();
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho "npm $*"\nexit ${exitCode}\n`, { mode: 0o755 });
  const { status, stdout, stderr } = spawnSync('bash', [join(root, '.ci/run'), ...steps], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
  });
  return { status, stdout, stderr };
}

const withoutBash = { skip: missing('bash') };

test('.ci/run runs the requested steps, in the order of its arguments', withoutBash, () => {
  const { status, stdout } = ci(0, 'demo', 'lint');
  assert.equal(status, 0);
  assert.equal(stdout, '\n=== demo\nnpm start --silent\n\n=== lint\nnpm run --silent lint\n');
});

test('.ci/run ends with the first failure', withoutBash, () => {
  const { status, stdout } = ci(3, 'demo', 'lint');
  assert.equal(status, 3);
  assert.equal(stdout, '\n=== demo\nnpm start --silent\n');
});

test('.ci/run refuses a step that does not exist, before it runs any', withoutBash, () => {
  const { status, stdout, stderr } = ci(0, 'demo', 'nonsense');
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /no step "nonsense"\. Steps: lint /);
});

test('every action is pinned by the hash of a commit', () => {
  for (const { name, text } of workflows) {
    for (const [, action] of text.matchAll(/uses: (.*)/g)) {
      assert.match(action ?? '', /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, name);
    }
  }
});

test('no workflow has a secret, or names a registry', () => {
  for (const { name, text } of workflows) {
    for (const word of ['secrets.', 'TOKEN', 'registry']) assert.ok(!text.includes(word), `${name}: ${word}`);
  }
});

test('the job that may publish runs nothing of this project', () => {
  for (const { name, text } of workflows.filter((each) => each.text.includes('id-token'))) {
    assert.equal(name, 'publish.yml');
    const [, jobs = ''] = text.split(/^jobs:$/m);
    const privileged = jobs.split(/^ {2}(?=\w+:$)/m).filter((job) => job.includes('id-token'));
    assert.equal(privileged.length, 1);
    const [job = ''] = privileged;
    assert.match(job, /^ {4}environment: /m);
    assert.ok(!job.includes('actions/checkout'), job);
    const commands = [...job.matchAll(/run: (.*)/g)].map(([, command]) => command);
    assert.deepEqual(commands, ['npm publish --ignore-scripts --access public ./packed/*.tgz']);
  }
});
