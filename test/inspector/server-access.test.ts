/** The server of the inspector answers its own page only, whatever is asked of it. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import { type Answer, type Asked, framesIn, InspectorServer, inspected, Page } from '../support/inspector.js';
import { scratchDirectory, scratchPath } from '../support/scratch.js';

const TIMEOUT = { timeout: 60_000 };

const SECRET = 'contents of a message';

/** A page, served from a directory of the test. */
async function served(t: TestContext): Promise<Page> {
  const directory = scratchDirectory();
  mkdirSync(`${directory}/page`);
  writeFileSync(`${directory}/page/index.html`, '<!doctype html><title>page</title>');
  writeFileSync(`${directory}/page/page.js`, 'start();');
  writeFileSync(`${directory}/page/page.css`, 'body {}');
  writeFileSync(`${directory}/page/.hidden.js`, SECRET);
  writeFileSync(`${directory}/page/notes.txt`, SECRET);
  writeFileSync(`${directory}/secret.js`, SECRET);
  mkdirSync(`${directory}/page/inner`);
  symlinkSync(`${directory}/secret.js`, `${directory}/page/inner/secret.js`);
  const server = await InspectorServer.start(
    {
      title: SECRET,
      isLive: false,
      show: async () => {},
      send: async () => {},
    },
    0,
    `${directory}/page`,
  );
  t.after(() => server.close());
  return new Page(server.address);
}

/** Headers that every answer has. */
function checkHeaders({ headers }: Answer): void {
  const policy = (headers['content-security-policy'] as string).split('; ').sort();
  assert.deepEqual(policy, [
    "base-uri 'none'",
    "default-src 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "style-src 'self'",
  ]);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['x-frame-options'], 'DENY');
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
  assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['access-control-allow-origin'], undefined);
}

async function refused(page: Page, status: number, path: string, asked: Asked): Promise<Answer> {
  const answer = await page.ask(path, asked);
  assert.equal(answer.status, status, `${asked.method ?? 'GET'} ${path} ${JSON.stringify(asked)}`);
  checkHeaders(answer);
  assert.match(String(answer.headers['content-type']), /^text\/plain/);
  assert.ok(!answer.body.includes(SECRET) && !answer.body.includes(page.token), 'nothing is given away');
  return answer;
}

const API = [
  ['GET', '/api/frames'],
  ['POST', '/api/send?connection=1&direction=to%20server'],
  ['POST', '/api/export'],
  ['POST', '/api/import'],
  ['GET', '/api/nothing'],
] as const;
const FILES = ['/', '/index.html', '/page.js', '/page.css'];

describe('the server of the inspector', TIMEOUT, () => {
  it('serves the files of the page without the token', async (t) => {
    const page = await served(t);
    for (const [path, type, contents] of [
      ['/', 'text/html', '<!doctype html><title>page</title>'],
      ['/index.html', 'text/html', '<!doctype html><title>page</title>'],
      ['/page.js', 'text/javascript', 'start();'],
      ['/page.js?version=1', 'text/javascript', 'start();'],
      ['/page.css', 'text/css', 'body {}'],
    ] as const) {
      const answer = await page.ask(path, { token: undefined });
      assert.deepEqual([answer.status, String(answer.body)], [200, contents], path);
      assert.ok(answer.headers['content-type']?.startsWith(type), path);
      checkHeaders(answer);
    }
  });

  it('answers requests with the token', async (t) => {
    const page = await served(t);
    const headers = { Origin: `http://127.0.0.1:${page.port}`, 'Sec-Fetch-Site': 'same-origin' };
    for (const more of [{}, { headers }]) {
      const answer = await page.ask('/api/frames', more);
      assert.equal(answer.status, 200);
      checkHeaders(answer);
      assert.equal(framesIn(answer.body)[0]?.type, 'hello');
    }
    const host = `localhost:${page.port}`;
    const local = { Host: host, Origin: `http://${host}`, 'Sec-Fetch-Site': 'same-origin' };
    assert.equal((await page.ask('/api/frames', { headers: local })).status, 200);
  });

  it('refuses requests for data without the token, or with another one', async (t) => {
    const page = await served(t);
    const { token } = page;
    const other = `${token.slice(0, -1)}${token.endsWith('A') ? 'E' : 'A'}`;
    for (const [method, path] of API) {
      for (const each of [undefined, '', 'x', other, `${token} `.repeat(2), token.toLowerCase()]) {
        await refused(page, 403, path, { method, token: each });
      }
      await refused(page, 403, `${path}#token=${token}`, { method, token: undefined });
      await refused(page, 403, `${path}${path.includes('?') ? '&' : '?'}token=${token}`, {
        method,
        token: undefined,
      });
    }
  });

  it('refuses every request under another host name', async (t) => {
    const page = await served(t);
    const { port } = page;
    const hosts = [
      `rebound.example:${port}`,
      `127.0.0.1.rebound.example:${port}`,
      `127.0.0.1:${port}.rebound.example`,
      '127.0.0.1',
      'localhost',
      `127.0.0.1:${port + 1}`,
      `[::1]:${port}`,
      `0.0.0.0:${port}`,
      `127.1:${port}`,
      `LOCALHOST:${port}`,
      `user@127.0.0.1:${port}`,
    ];
    for (const path of [...FILES, ...API.map(([, each]) => each), '/nothing']) {
      for (const host of hosts) await refused(page, 421, path, { headers: { Host: host } });
      await refused(page, 421, path, { noHost: true });
    }
    // Origin and host fit together, but the name is that of another server.
    const name = `rebound.example:${port}`;
    await refused(page, 421, '/api/frames', { headers: { Host: name, Origin: `http://${name}` } });
  });

  it('refuses every request from another origin', async (t) => {
    const page = await served(t);
    const { port } = page;
    const origins = [
      'http://evil.example',
      `https://127.0.0.1:${port}`,
      `http://127.0.0.1:${port + 1}`,
      'http://127.0.0.1',
      `http://localhost:${port}`,
      `http://127.0.0.1:${port}/`,
      'null',
      '',
    ];
    for (const path of [...FILES, ...API.map(([, each]) => each)]) {
      for (const Origin of origins) await refused(page, 403, path, { headers: { Origin } });
    }
  });

  it('refuses every request from another site', async (t) => {
    const page = await served(t);
    for (const path of [...FILES, ...API.map(([, each]) => each)]) {
      for (const site of ['cross-site', 'same-site', '', 'same-origin, none']) {
        await refused(page, 403, path, { headers: { 'Sec-Fetch-Site': site } });
      }
    }
    // The address bar opens the page, and nothing else.
    for (const path of FILES) {
      assert.equal((await page.ask(path, { headers: { 'Sec-Fetch-Site': 'none' } })).status, 200);
    }
    for (const [method, path] of API) {
      await refused(page, 403, path, { method, headers: { 'Sec-Fetch-Site': 'none' } });
    }
  });

  it('refuses other methods', async (t) => {
    const page = await served(t);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
      for (const path of FILES) {
        const { headers } = await refused(page, 405, path, { method });
        assert.equal(headers.allow, 'GET');
      }
    }
    for (const [right, path] of API.slice(0, -1)) {
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
        if (method === right) continue;
        const { headers } = await refused(page, 405, path, { method });
        assert.equal(headers.allow, right);
      }
    }
    const head = await page.ask('/', { method: 'HEAD' });
    assert.equal(head.status, 405);
    checkHeaders(head);
  });

  it('serves nothing outside of the directory of the page', async (t) => {
    const page = await served(t);
    for (const path of [
      '/../secret.js',
      '/..%2fsecret.js',
      '/%2e%2e/secret.js',
      '/%2e%2e%2fsecret.js',
      '/..\\secret.js',
      '/..%5csecret.js',
      '/./../secret.js',
      '//secret.js',
      '/page/../../secret.js',
      '/inner/secret.js',
      '/inner%2fsecret.js',
      '/.hidden.js',
      '/notes.txt',
      '/secret.js',
      '/page.js%00.css',
      '/page.js/',
      '/inner',
      '/nothing.js',
      '*',
      `http://127.0.0.1:${page.port}/page.js`,
    ]) {
      await refused(page, 404, path, {});
    }
    await refused(page, 404, '/api/nothing', {});
  });

  it('answers with the same headers what is no HTTP', async (t) => {
    const page = await served(t);
    const lines = `Host: 127.0.0.1:${page.port}\r\nX-Seqpacket-Token: ${page.token}\r\nConnection: close\r\n`;
    for (const [status, text] of [
      [400, 'no HTTP\r\n\r\n'],
      [400, 'GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n'],
      [421, `GET /api/frames HTTP/1.1\r\n${lines}Host: evil\r\n\r\n`],
      [404, `GET /api/nothing HTTP/1.1\r\n${lines}Expect: a miracle\r\n\r\n`],
    ] as const) {
      const socket = connectTcp(page.port, '127.0.0.1');
      t.after(() => socket.destroy());
      socket.write(text);
      let answer = '';
      for await (const piece of socket.setEncoding('latin1')) answer += piece;
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer);
      assert.match(answer, /Content-Security-Policy: default-src 'self'/);
      assert.match(answer, /X-Frame-Options: DENY/);
      assert.ok(!answer.includes(SECRET));
    }
  });

  it('listens on the loopback interface only', async (t) => {
    const page = await served(t);
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .map(({ address }) => address)
      .filter((address) => address !== '127.0.0.1' && !address.startsWith('fe80'));
    for (const host of ['127.0.0.2', '::1', ...others]) {
      const socket = connectTcp(page.port, host);
      const outcome = await new Promise((resolve) => {
        socket.once('connect', () => resolve('connected'));
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      });
      socket.destroy();
      assert.notEqual(outcome, 'connected', host);
    }
  });

  it('has another token each time', async (t) => {
    const tokens = [await served(t), await served(t)].map(({ token }) => token);
    assert.notEqual(tokens[0], tokens[1]);
    for (const token of tokens) assert.equal(Buffer.from(token, 'base64url').length, 32);
  });

  it('is the same in the command', async (t) => {
    const { page } = await inspected(t, scratchPath('between'), scratchPath());
    for (const [method, path] of API.slice(0, -1)) {
      await refused(page, 403, path, { method, token: undefined });
      await refused(page, 403, path, { method, headers: { Origin: 'http://evil.example' } });
      await refused(page, 403, path, { method, headers: { 'Sec-Fetch-Site': 'cross-site' } });
      await refused(page, 421, path, { method, headers: { Host: `evil.example:${page.port}` } });
    }
    await refused(page, 421, '/', { headers: { Host: `evil.example:${page.port}` } });
  });
});
