/** No code in README and docs is untested, and no link in them leads nowhere. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { posix } from 'node:path';
import { test } from 'node:test';
import {
  type Block,
  blocksOf,
  bridge,
  cookbook,
  documents,
  guide,
  nameOf,
  root,
  UNTESTED,
} from '../support/documentation.js';
import { missing } from '../support/programs.js';

const blocks = documents.flatMap(blocksOf);
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/** Why a block may be believed; undefined if nothing tests it. */
function testOf(block: Block): string | undefined {
  const { document, language, file } = block;
  if (nameOf(block) in UNTESTED) return 'declared';
  // It fails at a block that it does not know.
  if (bridge.includes(document)) return 'bridge-guide';
  // Those two fail if they have not run a program of their pages.
  if (file !== undefined && guide.includes(document)) return 'documentation-guide';
  if (file !== undefined && cookbook.includes(document)) return 'documentation-cookbook';
  // It fails at a session that it does not know.
  if (language === 'console' || language === 'c') return 'documentation-sessions';
  if (language === 'sh' && commandsOf(block).every(isOfThePackage)) return 'here';
  return undefined;
}

function commandsOf({ text }: Block): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/ *#.*/, ''))
    .filter(Boolean);
}

/** npm's own commands are npm's to test; those that run a script need one. */
function isOfThePackage(command: string): boolean {
  if (/^npm (init -y|install seqpacket)$/.test(command)) return true;
  const [, script] = /^npm (?:run )?([\w:]+)(?: --( [\w-]+)+)?$/.exec(command) ?? [];
  return script !== undefined && script in scripts;
}

test('every block of code is tested, or gives the reason why not', () => {
  assert.deepEqual(blocks.filter((block) => testOf(block) === undefined).map(nameOf), []);
  const names = blocks.map(nameOf);
  assert.deepEqual(
    Object.keys(UNTESTED).filter((name) => !names.includes(name)),
    [],
    'there is no such block any more',
  );
});

test('the types of every block in TypeScript are right', () => {
  const directory = `${root}build/documentation/types`;
  rmSync(directory, { recursive: true, force: true });
  const programs = blocks.filter(({ language }) => language === 'ts');
  assert.ok(programs.length > 1);
  for (const { document, file, text } of programs) {
    const folder = `${directory}/${document.replace(/\.md$/, '')}`;
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/${file}`, text);
  }
  for (const [index, { text }] of examples().entries()) {
    if (text.startsWith('import ')) writeFileSync(`${directory}/example-${index}.ts`, text);
  }
  const compilerOptions = {
    // The compiler checks Node.js's own declarations when it compiles the tests.
    skipLibCheck: true,
    ...{ noEmit: true, strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
    ...{ module: 'nodenext', target: 'es2022', lib: ['es2023', 'esnext.disposable'], types: ['node'] },
  };
  writeFileSync(`${directory}/package.json`, '{ "name": "programs-of-the-documentation", "type": "module" }');
  mkdirSync(`${directory}/node_modules`);
  symlinkSync(root, `${directory}/node_modules/seqpacket`);
  writeFileSync(`${directory}/tsconfig.json`, JSON.stringify({ compilerOptions, include: ['**/*.ts'] }));
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', directory], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

/** What an example in a docstring prints, by the first line that tells it from the others. */
const EXAMPLES: Readonly<Record<string, { before?: string; after?: string; output: string }>> = {
  'SeqpacketSocket.pair();': { output: 'hello\n' },
  'shareMemory(left)': { output: 'hello\n' },
  "listen('\\0example')": { output: 'hello\n' },
  "open('/etc/hostname')": { output: 'true\n' },
  'pairForChild();': {
    before: "import { spawn } from 'node:child_process';\nimport { pairForChild } from 'seqpacket';\n",
    after: 'console.log(String((await socket.receiveMessage()).data));\n',
    output: 'from the child\n',
  },
};
const CHILD = "import socket\nsocket.socket(fileno=3).send(b'from the child')\n";

test('the code in docstrings runs', { skip: missing('python3') }, () => {
  const directory = `${root}build/documentation/docstrings`;
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/child.py`, CHILD);
  const run = new Set<string>();
  for (const { file, text } of examples()) {
    const name = Object.keys(EXAMPLES).find((line) => text.includes(line));
    assert.ok(name !== undefined, `${file} has an example that is not tested`);
    run.add(name);
    const { before = '', after = '', output } = EXAMPLES[name]!;
    writeFileSync(`${directory}/example.mjs`, before + text + after);
    const { stdout, stderr } = spawnSync(process.execPath, ['example.mjs'], {
      cwd: directory,
      encoding: 'utf8',
    });
    assert.equal(stdout, output, stderr);
    assert.equal(stderr, '');
  }
  assert.deepEqual([...run].sort(), Object.keys(EXAMPLES).sort());
});

function examples(): { file: string; text: string }[] {
  const files = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.m?ts$/.test(name),
  );
  return files.flatMap((file) => {
    const blocks = readFileSync(`${root}src/${file}`, 'utf8').matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms);
    return [...blocks].map(([, block = '']) => ({ file, text: block.replaceAll(/^ *\* ?/gm, '') }));
  });
}

/** The names of the places in a page, as GitHub and VitePress make them of its headings. */
function anchorsOf(document: string): string[] {
  const text = readFileSync(root + document, 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[`.,:()/]/g, '')
      .replaceAll(' ', '-'),
  );
}

test('every link has a target, including links within a page', () => {
  const dead: string[] = [];
  for (const document of [...documents, 'CHANGELOG.md']) {
    const text = readFileSync(root + document, 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '');
    const links = [
      ...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g),
      ...text.matchAll(/\s(?:src|srcset|href)="(?!https?:)([^"]+)"/g),
      ...text.matchAll(/\blink: ([^\s,}]+)/g),
    ];
    for (const [, link = ''] of links) {
      if (isDead(document, link)) dead.push(`${document}: ${link}`);
    }
  }
  assert.deepEqual(dead, []);
});

function isDead(document: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  // The pages of docs/index.md are named as the site names them. The reference is made with the site, and looked
  // at there.
  if (path.startsWith('/reference/') || /(^|\/)reference\//.test(path)) return false;
  const target = path.startsWith('/')
    ? `docs${path}.md`
    : path === ''
      ? document
      : posix.join(posix.dirname(document), path);
  if (!existsSync(root + target)) return true;
  return anchor !== undefined && !anchorsOf(target).includes(anchor);
}
