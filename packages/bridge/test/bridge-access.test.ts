/** TLS, tokens, users, nkeys and credentials files: right and wrong ones. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAccount, createOperator, createUser, type KeyPair } from '@nats-io/nkeys';
import { BridgeProcess, FAST } from './support/bridges.js';
import { echoService } from './support/echo.js';
import { startNats, withNats } from './support/nats-server.js';
import { missing, Running, scratchDirectory, supportFile } from './support/programs.js';

/** A session through two bridges with these options. */
async function works(t: TestContext, url: string, options: string[]): Promise<void> {
  const directory = scratchDirectory(t);
  await echoService(t, `${directory}/service`, 'here');
  const args = ['--server', url, '--json', ...FAST, ...options];
  const serve = new BridgeProcess(t, ['serve', 'with.access', `${directory}/service`, ...args]);
  await serve.until('ready');
  const joined = new BridgeProcess(t, ['join', 'with.access', `${directory}/clients`, ...args]);
  await joined.until('ready');
  const client = new Running(t, 'python3', [supportFile('ask.py'), `${directory}/clients`]);
  assert.equal(await client.done(), 'here\n');
}

async function fails(t: TestContext, url: string, options: string[], reason: RegExp): Promise<void> {
  const bridge = new BridgeProcess(t, ['join', 'x', `${scratchDirectory(t)}/s`, '--server', url, ...options]);
  const { code, stderr, stdout } = await bridge.ended;
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, reason);
  assert.equal(stderr.trim().split('\n').length, 1, stderr);
}

function fileWith(t: TestContext, text: string | Uint8Array): string {
  const file = join(scratchDirectory(t), 'secret');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

test('a token', withNats, async (t) => {
  const { url } = await startNats(t, { configuration: 'authorization { token: "right" }' });
  await works(t, url, ['--token-file', fileWith(t, 'right\n')]);
  await fails(
    t,
    url,
    ['--token-file', fileWith(t, 'wrong\n')],
    /no connection to NATS.*Authorization Violation/i,
  );
  await fails(t, url, [], /Authorization Violation/i);
  await fails(t, url, ['--token-file', '/nonexistent'], /cannot read \/nonexistent: ENOENT/);
});

test('a server that refuses the token after a restart ends the bridge', withNats, async (t) => {
  const nats = await startNats(t, { configuration: 'authorization { token: "right" }' });
  const address = `${scratchDirectory(t)}/s`;
  const options = ['--server', nats.url, '--token-file', fileWith(t, 'right')];
  const bridge = new BridgeProcess(t, ['join', 'x', address, ...options]);
  await bridge.prints('ready');
  nats.process.kill('SIGKILL');
  await nats.process.ended;
  await startNats(t, { port: nats.port, configuration: 'authorization { token: "other" }' });
  const { code, stderr } = await bridge.ended;
  assert.equal(code, 1);
  assert.match(stderr, /Authorization Violation/i);
});

test('a user with permissions for the subject and its inboxes', withNats, async (t) => {
  const configuration = `authorization { users: [ { user: bridge, password: right, permissions: {
    publish: ["with.access", "_INBOX_bridge.>"], subscribe: ["with.access", "_INBOX_bridge.>"] } } ] }`;
  const { url } = await startNats(t, { configuration });
  const user = ['--user', 'bridge', '--password-file', fileWith(t, 'right')];
  await works(t, url, [...user, '--inbox-prefix', '_INBOX_bridge']);
  await fails(
    t,
    url,
    ['--user', 'bridge', '--password-file', fileWith(t, 'wrong')],
    /Authorization Violation/i,
  );
});

test('an nkey', withNats, async (t) => {
  const user = createUser();
  const configuration = `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`;
  const { url } = await startNats(t, { configuration });
  await works(t, url, ['--nkey', fileWith(t, user.getSeed())]);
  await fails(t, url, ['--nkey', fileWith(t, createUser().getSeed())], /Authorization Violation/i);
});

test('a credentials file', withNats, async (t) => {
  const operator = createOperator();
  const account = createAccount();
  const user = createUser();
  const nats = { version: 2 };
  const limits = {
    subs: -1,
    data: -1,
    payload: -1,
    imports: -1,
    exports: -1,
    wildcards: true,
    conn: -1,
    leaf: -1,
  };
  const operatorToken = signed(operator, operator, 'operator', { ...nats, type: 'operator' });
  const accountToken = signed(operator, account, 'account', { ...nats, type: 'account', limits });
  const userToken = signed(account, user, 'user', { ...nats, type: 'user', subs: -1, data: -1, payload: -1 });
  const configuration = `operator: ${operatorToken}
    resolver: MEMORY
    resolver_preload: { ${account.getPublicKey()}: ${accountToken} }`;
  const { url } = await startNats(t, { configuration });
  const credentials = (token: string, key: KeyPair) => `-----BEGIN NATS USER JWT-----
${token}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${Buffer.from(key.getSeed())}
------END USER NKEY SEED------
`;
  await works(t, url, ['--creds', fileWith(t, credentials(userToken, user))]);
  const stranger = createAccount();
  const other = signed(stranger, user, 'user', { ...nats, type: 'user', subs: -1, data: -1, payload: -1 });
  await fails(t, url, ['--creds', fileWith(t, credentials(other, user))], /Authorization Violation/i);
});

function signed(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({
    jti: randomBytes(16).toString('hex'),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    name,
    sub: subject.getPublicKey(),
    nats,
  })}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}

/** A certificate authority, and certificates that it has signed. */
function certificates(directory: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  for (const name of ['ca', 'other-ca']) {
    openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`);
  }
  for (const [name, authority] of [
    ['server', 'ca'],
    ['bridge', 'ca'],
    ['stranger', 'other-ca'],
  ] as const) {
    const names = ['-addext', 'subjectAltName=DNS:localhost'];
    openssl(
      'req',
      ...key.slice(0, 5),
      '-subj',
      `/CN=${name}`,
      ...names,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    const by = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-copy_extensions', 'copy', '-out', `${name}.pem`);
  }
}

test('TLS with certificates on both sides', { skip: withNats.skip || missing('openssl') }, async (t) => {
  const directory = scratchDirectory(t);
  certificates(directory);
  const file = (name: string) => join(directory, name);
  const configuration = `tls { cert_file: "${file('server.pem')}", key_file: "${file('server.key')}",
    ca_file: "${file('ca.pem')}", verify: true }`;
  const { port } = await startNats(t, { configuration });
  const url = `nats://localhost:${port}`;
  const authority = ['--tls-ca', file('ca.pem')];
  const certificate = (name: string) => ['--tls-cert', file(`${name}.pem`), '--tls-key', file(`${name}.key`)];
  await works(t, url, [...authority, ...certificate('bridge')]);
  await works(t, url.replace('nats:', 'tls:'), [...authority, ...certificate('bridge')]);
  await fails(t, url, ['--tls-ca', file('other-ca.pem'), ...certificate('bridge')], /certificate/i);
  await fails(t, url, [...authority, ...certificate('stranger')], /no connection to NATS.*certificate/);
  await fails(t, url, [], /certificate/i);
});
