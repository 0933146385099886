/** The options of the command line that are about NATS. */
import { readFileSync } from 'node:fs';
import { credsAuthenticator, type NodeConnectionOptions, nkeyAuthenticator } from '@nats-io/transport-node';
import type { Command } from 'commander';
import { EXIT } from './exit-codes.js';
import { Failure, reasonOf } from './failure.js';

export interface NatsArguments {
  server?: string[];
  creds?: string;
  nkey?: string;
  tokenFile?: string;
  user?: string;
  passwordFile?: string;
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
  inboxPrefix?: string;
}

const DEFAULT_SERVER = 'nats://127.0.0.1:4222';

export function addNatsOptions(command: Command): Command {
  return command
    .option(
      '-s, --server <url>',
      `a server of NATS; repeat it, or separate them by commas, for a cluster (default: ${DEFAULT_SERVER})`,
      (value: string, previous: string[] = []) => [...previous, value],
    )
    .option('--creds <file>', 'a credentials file: the JWT and the seed of a user')
    .option('--nkey <file>', 'a file with the seed of an nkey')
    .option('--token-file <file>', 'a file with a token')
    .option('--user <name>', 'a user name; needs --password-file')
    .option('--password-file <file>', "a file with the user's password")
    .option('--tls-ca <file>', 'the certificate authority of the server; requires TLS')
    .option('--tls-cert <file>', "the bridge's certificate; needs --tls-key")
    .option('--tls-key <file>', 'the private key of the certificate')
    .option('--inbox-prefix <subject>', 'the first words of private subjects (default: "_INBOX")');
}

/** @throws {Failure} */
export function natsOptions(given: NatsArguments): NodeConnectionOptions {
  const { server = [DEFAULT_SERVER], creds, nkey, tokenFile, user, passwordFile, inboxPrefix } = given;
  const methods = { '--creds': creds, '--nkey': nkey, '--token-file': tokenFile, '--user': user };
  const used = Object.entries(methods).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (used.length > 1) throw new Failure(`${used.join(' and ')} exclude each other`, EXIT.usage);
  if ((user === undefined) !== (passwordFile === undefined)) {
    throw new Failure('--user and --password-file need each other', EXIT.usage);
  }
  return {
    servers: server.flatMap((urls) => urls.split(',')).map(withoutScheme),
    ...(creds === undefined ? {} : { authenticator: credsAuthenticator(contents(creds)) }),
    ...(nkey === undefined ? {} : { authenticator: nkeyAuthenticator(seed(nkey)) }),
    ...(tokenFile === undefined ? {} : { token: secret(tokenFile) }),
    ...(user === undefined ? {} : { user, pass: secret(passwordFile!) }),
    ...tlsOptions(given),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
  };
}

function tlsOptions({ server = [], tlsCa, tlsCert, tlsKey }: NatsArguments): NodeConnectionOptions {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new Failure('--tls-cert and --tls-key need each other', EXIT.usage);
  }
  const isWanted = tlsCa !== undefined || tlsCert !== undefined || server.some((url) => /^tls:/i.test(url));
  if (!isWanted) return {};
  // Read here, so that a missing file is an error of this command line.
  return {
    tls: {
      ...(tlsCa === undefined ? {} : { ca: contents(tlsCa).toString() }),
      ...(tlsCert === undefined
        ? {}
        : { cert: contents(tlsCert).toString(), key: contents(tlsKey!).toString() }),
    },
  };
}

/** @throws {Failure} */
function withoutScheme(url: string): string {
  const host = url.replace(/^(nats|tls):\/\//i, '');
  if (/:\/\//.test(host)) throw new Failure(`--server ${url}: nats:// and tls:// are supported`, EXIT.usage);
  if (host.includes('@')) {
    throw new Failure(
      '--server with a password: use --user and --password-file, or --token-file',
      EXIT.usage,
    );
  }
  if (host === '' || /[\s/]/.test(host))
    throw new Failure(`--server ${url}: not a host and a port`, EXIT.usage);
  return host;
}

function contents(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${reasonOf(error)}`);
  }
}

function secret(file: string): string {
  return contents(file)
    .toString()
    .replace(/\r?\n$/, '');
}

/** The seed in a file, which may have comments. */
function seed(file: string): Buffer {
  const line = contents(file)
    .toString()
    .split('\n')
    .find((each) => each.startsWith('S'));
  if (line === undefined) throw new Failure(`${file} contains no seed`);
  return Buffer.from(line.trim());
}
