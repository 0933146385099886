/** Debian's nats-server on a free port of the loopback interface. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { missing, pause, Running, scratchDirectory } from './programs.js';

export const withNats = { skip: missing('nats-server', 'python3'), timeout: 60_000 };

export interface NatsServer {
  url: string;
  port: number;
  process: Running;
  /** Starts it again on the same port, after it has ended. */
  restart(): Promise<NatsServer>;
}

export interface NatsServerOptions {
  /** Lines of the configuration file. */
  configuration?: string;
  port?: number;
  host?: string;
  /** A command that runs the server, such as `ip netns exec NAME`. */
  within?: string[];
}

export async function startNats(t: TestContext, options: NatsServerOptions = {}): Promise<NatsServer> {
  const { configuration = '', port = -1, host = '127.0.0.1', within = [] } = options;
  const directory = scratchDirectory(t);
  const file = join(directory, 'nats.conf');
  writeFileSync(file, `listen: "${host}:${port}"\nports_file_dir: "${directory}"\n${configuration}\n`);
  const [program = '', ...args] = [...within, 'nats-server', '-c', file];
  const process = new Running(t, program, args);
  await process.prints('Server is ready');
  const actual = await portIn(directory);
  return {
    url: `nats://${host}:${actual}`,
    port: actual,
    process,
    restart: async () => {
      await process.ended;
      return startNats(t, { ...options, port: actual });
    },
  };
}

/** The server writes its ports to a file. */
async function portIn(directory: string): Promise<number> {
  for (;;) {
    const name = readdirSync(directory).find((each) => each.endsWith('.ports'));
    const text = name === undefined ? '' : readFileSync(join(directory, name), 'utf8');
    const port = /:(\d+)"/.exec(text)?.[1];
    if (port !== undefined) return Number(port);
    await pause(5);
  }
}
