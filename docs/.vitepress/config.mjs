// The site: docs/ as it stands, and the reference that scripts/site.mjs makes of the docstrings.
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { defineConfig } from 'vitepress';
import { EXPORTS } from '../typedoc-purposes.mjs';

const GUIDE = [
  { text: 'A first server and client', link: '/guide/first' },
  { text: 'Descriptors', link: '/guide/descriptors' },
  { text: 'Identity and security', link: '/guide/identity' },
  { text: 'Back-pressure and fairness', link: '/guide/back-pressure' },
  { text: 'Errors and the end of file', link: '/guide/errors' },
  { text: 'Streams', link: '/guide/streams' },
  { text: 'Child processes', link: '/guide/child-processes' },
  { text: 'Synchronous calls', link: '/guide/synchronous-calls' },
  { text: 'systemd', link: '/guide/systemd' },
  { text: 'Workers', link: '/guide/workers' },
  { text: 'Hot restart', link: '/guide/hot-restart' },
  { text: 'When the socket is the limit', link: '/guide/shared-memory' },
  { text: 'More than one machine', link: '/guide/more-than-one-machine' },
];

const COOKBOOK = [
  { text: 'A privileged helper', link: '/cookbook/privileged-helper' },
  { text: 'Large data', link: '/cookbook/large-data' },
  { text: 'Attach to a container', link: '/cookbook/containers' },
  { text: 'A reconnecting client', link: '/cookbook/reconnecting' },
  { text: 'A connection made by netcat', link: '/cookbook/netcat' },
  { text: 'JSON requests, answers by pipe', link: '/cookbook/json-and-pipes' },
  { text: 'Requests with ids', link: '/cookbook/requests' },
  { text: 'A synchronous parser', link: '/cookbook/synchronous-parser' },
  { text: 'A peer in Python', link: '/cookbook/python' },
  { text: 'A peer in Go', link: '/cookbook/go' },
];

const COMING_FROM = [
  { text: 'node:net with framing', link: '/coming-from/node-net' },
  { text: 'Emilua', link: '/coming-from/emilua' },
  { text: 'Python', link: '/coming-from/python' },
  { text: 'Go', link: '/coming-from/go' },
  { text: 'Rust', link: '/coming-from/rust' },
];

const ABOUT = [
  { text: 'Semantics', link: '/semantics' },
  { text: 'The command', link: '/cli' },
  { text: 'The shared-memory format', link: '/shared-memory' },
  { text: 'The protocol of the bridges', link: '/bridge-protocol' },
  { text: 'Performance', link: '/performance' },
  { text: 'The benchmark', link: '/benchmark' },
  { text: 'FAQ', link: '/faq' },
  { text: 'Architecture', link: '/architecture' },
];

/** What TypeDoc has written, by purpose. */
function reference() {
  const pages = new Map();
  for (const kind of ['functions', 'classes', 'interfaces', 'types', 'variables']) {
    for (const file of readdirSync(new URL(`../reference/${kind}`, import.meta.url))) {
      const name = file.replace(/\.md$/, '');
      pages.set(name, { text: name, link: `/reference/${kind}/${name}` });
    }
  }
  const items = Object.entries(EXPORTS).map(([text, names]) => ({
    text,
    items: names.map((name) => pages.get(name)).filter(Boolean),
  }));
  const grouped = Object.values(EXPORTS).flat();
  const others = [...pages.keys()].filter((name) => !grouped.includes(name)).sort();
  if (others.length > 0) items.push({ text: 'Other', items: others.map((name) => pages.get(name)) });
  return [{ text: 'Reference', link: '/reference/', items }];
}

/** The repository, once package.json names one. */
function sourceLinks() {
  const { repository } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const address = (repository?.url ?? repository)?.replace(/^git\+|\.git$/g, '');
  return address === undefined ? [] : [{ icon: 'github', link: address, ariaLabel: 'Source' }];
}

/** Links from a page to files that are no pages of their own name; on the site they have one. */
const PAGES_OF_FILES = { 'bench/README.md': '/benchmark' };

function linkToPages(md) {
  md.core.ruler.push('files-that-are-pages', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type !== 'link_open') continue;
      const file = posix.join('docs', posix.dirname(env.relativePath), token.attrGet('href'));
      if (file in PAGES_OF_FILES) token.attrSet('href', PAGES_OF_FILES[file]);
    }
  });
}

const guideSidebar = [
  { text: 'Guide', items: GUIDE },
  { text: 'Cookbook', items: COOKBOOK },
  { text: 'Coming from', items: COMING_FROM },
  { text: 'More', items: ABOUT },
];

export default defineConfig({
  title: 'seqpacket',
  description: 'AF_UNIX + SOCK_SEQPACKET sockets for Node.js on Linux',
  lang: 'en',
  outDir: '../build/site',
  cacheDir: '../build/site-cache',
  cleanUrls: true,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: '/favicon.svg' }]],
  markdown: { config: linkToPages },
  vite: { build: { chunkSizeWarningLimit: 2000 } },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/guide/first' },
      { text: 'Cookbook', link: '/cookbook/privileged-helper' },
      { text: 'Semantics', link: '/semantics' },
      { text: 'Command', link: '/cli' },
      { text: 'Reference', link: '/reference/' },
      { text: 'Performance', link: '/performance' },
      { text: 'FAQ', link: '/faq' },
      { text: 'Source', link: '/architecture' },
    ],
    logo: '/favicon.svg',
    socialLinks: sourceLinks(),
    sidebar: { '/reference/': reference(), '/': guideSidebar },
    outline: [2, 3],
    search: { provider: 'local' },
  },
});
