/** The code of the guide page and of the protocol page: it runs, or it is what the bridges do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect as connectNats } from '@nats-io/transport-node';
import { connect } from 'seqpacket';
import { joinOverNats } from 'seqpacket-bridge';
import { BridgeProcess, FAST } from './support/bridges.js';
import { echoService } from './support/echo.js';
import { startNats, withNats } from './support/nats-server.js';
import { missing, Running, scratchDirectory, supportFile } from './support/programs.js';

const page = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8');
const blocksOf = (text: string) =>
  [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => ({ language, code }));

const guide = blocksOf(page('guide/more-than-one-machine.md'));
const protocol = blocksOf(page('bridge-protocol.md'));

/** The blocks of the guide by their beginnings; each is used by a test. */
const KNOWN = {
  install: 'npm install',
  serve: 'seqpacket-bridge serve',
  join: 'seqpacket-bridge join',
  functions: "import { joinOverNats, serveOverNats } from 'seqpacket-bridge'",
  log: '2026-',
  unit: '[Unit]',
  configuration: '# nats.conf',
  server: 'nats-server -c',
};

function block(name: keyof typeof KNOWN): string {
  const found = guide.find(({ code }) => code.trimStart().startsWith(KNOWN[name]));
  assert.ok(found, name);
  return found.code;
}

test('no block of the guide is unknown', () => {
  const starts = Object.values(KNOWN);
  const unknown = guide.filter(({ code }) => !starts.some((start) => code.trimStart().startsWith(start)));
  assert.deepEqual(unknown, []);
});

/** The arguments of a command of the guide, with these replacements. */
function argumentsOf(code: string, replacements: Record<string, string>): string[] {
  let text = code.trim();
  for (const [from, to] of Object.entries(replacements)) text = text.replaceAll(from, to);
  return text.split(' ').slice(1);
}

async function answers(t: TestContext, address: string): Promise<void> {
  const client = new Running(t, 'python3', [supportFile('ask.py'), address]);
  assert.equal(await client.done(), 'here\n');
}

test('the commands and the program', withNats, async (t) => {
  const directory = scratchDirectory(t);
  const { url } = await startNats(t);
  await echoService(t, `${directory}/service`, 'here');
  const server = { 'nats://nats.example.org': url };
  const serving = { '/run/greeter.socket': `${directory}/service`, ...server };
  const serve = new BridgeProcess(t, [...argumentsOf(block('serve'), serving), '--json']);
  await serve.until('ready');
  const joining = { '/run/greeter.socket': `${directory}/clients`, ...server };
  const join = new BridgeProcess(t, [...argumentsOf(block('join'), joining), '--json']);
  await join.until('ready');
  await answers(t, `${directory}/clients`);

  serve.kill();
  await serve.ended;
  const program = block('functions')
    .replace('/run/greeter.socket', `${directory}/service`)
    .replace('nats.example.org', url.replace('nats://', ''));
  const file = fileURLToPath(new URL('guide-program.mjs', import.meta.url));
  writeFileSync(file, program);
  const functions = new Running(t, process.execPath, [file]);
  await functions.prints("event: 'ready'");
  await answers(t, `${directory}/clients`);
  functions.kill();
  await functions.done();
  assert.match(functions.stdout, /event: 'draining'/);
});

test('the log', withNats, async (t) => {
  const directory = scratchDirectory(t);
  const { url } = await startNats(t);
  await echoService(t, `${directory}/service`, 'here');
  const args = ['--server', url, ...FAST];
  const serve = new BridgeProcess(t, ['serve', 'log', `${directory}/service`, ...args]);
  await serve.prints('ready');
  const join = new BridgeProcess(t, ['join', 'log', `${directory}/clients`, ...args]);
  await join.prints('ready');
  await answers(t, `${directory}/clients`);
  await serve.prints('closed');
  // The same lines, but for numbers and names.
  const shape = (line: string) =>
    line
      .replace(/with [\w.-]+,/, 'with HOST,')
      .replace(/session \w+/, 'session ID')
      .replace(/[\d.]+/g, '0')
      .replace(/messages/g, 'message');
  const shown = block('log').trim().split('\n').map(shape);
  const printed = serve.stdout.trim().split('\n').slice(-2).map(shape);
  assert.deepEqual(printed, shown);
});

test('the configuration of nats-server', { skip: withNats.skip || missing('openssl') }, async (t) => {
  const directory = scratchDirectory(t);
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const files = ['-keyout', `${directory}/server.key`, '-out', `${directory}/server.pem`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  assert.equal(spawnSync('openssl', ['req', '-x509', ...key, ...names, ...files]).status, 0);
  const configuration = block('configuration')
    .replace(/^listen:.*$/m, '')
    .replaceAll('/etc/nats', directory);
  const { port } = await startNats(t, { configuration });
  await echoService(t, `${directory}/service`, 'here');
  writeFileSync(`${directory}/password`, 'change-me\n');
  const args = (user: string) => [
    ...['--server', `tls://localhost:${port}`, '--tls-ca', `${directory}/server.pem`],
    ...['--user', user, '--password-file', `${directory}/password`, '--json'],
  ];
  const serve = new BridgeProcess(t, ['serve', 'greeter', `${directory}/service`, ...args('serve')]);
  await serve.until('ready');
  const join = new BridgeProcess(t, ['join', 'greeter', `${directory}/clients`, ...args('join')]);
  await join.until('ready');
  await answers(t, `${directory}/clients`);
  // The server reports that the user of join has no permission to serve.
  const other = new BridgeProcess(t, ['serve', 'greeter', `${directory}/service`, ...args('join')]);
  const [error] = await other.until('error');
  assert.match(error?.reason ?? '', /permissions violation/i);
});

test('the unit of systemd', { skip: missing('systemd-analyze') }, (t) => {
  const file = `${scratchDirectory(t)}/greeter.service`;
  writeFileSync(file, block('unit').replace('/usr/local/bin/seqpacket-bridge', process.execPath));
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /greeter/);
});

test('the JSON of the protocol page has the fields that a bridge sends', withNats, async (t) => {
  const [open, refusal, ...more] = protocol;
  assert.deepEqual(more, []);
  const { url } = await startNats(t);
  const servers = url.replace('nats://', '');
  const nats = await connectNats({ servers });
  const requests = nats.subscribe('page');
  await nats.flush();
  const bridge = await joinOverNats({ subject: 'page', address: '\0page', nats: { servers } });
  t.after(async () => {
    await bridge.close();
    await nats.close();
  });
  const client = await connect('\0page');
  for await (const { data, reply } of requests) {
    const sent = JSON.parse(String(Buffer.from(data.subarray(8))));
    const shown = JSON.parse(open?.code ?? '');
    assert.deepEqual(Object.keys(sent), Object.keys(shown));
    for (const name of ['version', 'window', 'piece', 'deadAfter'])
      assert.equal(sent[name], shown[name], name);
    assert.deepEqual(Object.keys(sent.client), Object.keys(shown.client));
    assert.equal(sent.toClient, reply);
    assert.equal(sent.toClient.length, shown.toClient.length);
    // The client's bridge accepts the refusal of the page, and asks again.
    nats.publish(
      reply as string,
      Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(refusal?.code ?? '')]),
    );
    if (requests.getReceived() === 8) break;
  }
  await assert.rejects(client.receiveMessage(), { code: 'EOF' });
  client.close();
  assert.equal(bridge.counters.refused, 1);
});
