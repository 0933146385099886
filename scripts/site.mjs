// Builds the site in build/site: the reference from the docstrings (TypeDoc), then all pages (VitePress). Fails on
// warnings and on dead links, also to anchors.
//
//   node scripts/site.mjs [--serve]
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { installDependencies } from './dependencies.mjs';
import { root, run } from './native.mjs';

const target = join(root, 'build/site');

await installDependencies('docs', 'what the site needs');

console.error('The reference, by TypeDoc …');
run(process.execPath, [
  'docs/node_modules/typedoc/bin/typedoc',
  '--options',
  'docs/typedoc.json',
  '--logLevel',
  'Warn',
]);

const vitepress = ['docs/node_modules/vitepress/bin/vitepress.js'];
if (process.argv.includes('--serve')) {
  run(process.execPath, [...vitepress, 'dev', 'docs']);
  process.exit();
}
console.error('The pages, by VitePress …');
const { status, stdout, stderr } = spawnSync(process.execPath, [...vitepress, 'build', 'docs'], {
  cwd: root,
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1' },
});
const output = stdout + stderr;
if (status !== 0 || /warn|falling back|deprecat/i.test(output)) {
  console.error(output);
  console.error(`The site: ${status === 0 ? 'there are warnings' : 'it was not built'}`);
  process.exit(1);
}

const pages = readdirSync(target, { recursive: true }).filter((file) => file.endsWith('.html'));
const html = new Map(pages.map((file) => [`/${file}`, readFileSync(join(target, file), 'utf8')]));

/** The page at a path. */
function pageAt(path) {
  return [path, `${path}.html`, `${path}index.html`].find((file) => html.has(file));
}

function isFile(path) {
  const file = join(target, path);
  return existsSync(file) && statSync(file).isFile();
}

const dead = [];
let links = 0;
for (const [page, text] of html) {
  if (page === '/404.html') continue;
  for (const [, link] of text.matchAll(/\s(?:href|src)="([^"]*)"/g)) {
    if (/^[a-z]+:/.test(link)) continue;
    links++;
    const [path, fragment] = link.split('#');
    const to =
      path === ''
        ? page
        : decodeURI(posix.resolve(posix.dirname(page), path) + (path.endsWith('/') ? '/' : ''));
    const found = pageAt(to.replace(/^\/\/$/, '/'));
    const isThere =
      found === undefined
        ? fragment === undefined && isFile(to)
        : !fragment || html.get(found).includes(` id="${decodeURIComponent(fragment)}"`);
    if (!isThere) dead.push(`${page}: ${link}`);
  }
}
if (dead.length > 0) {
  console.error(`Dead links:\n${[...new Set(dead)].join('\n')}`);
  process.exit(1);
}
console.log(`The site is in build/site: ${html.size} pages, ${links} links`);
