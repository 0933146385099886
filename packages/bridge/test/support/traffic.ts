/** Programs that send and receive without end, through two bridges; and how a fault has ended them. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type BridgeProcess, start } from './bridges.js';
import { type NatsServer, startNats } from './nats-server.js';
import { pause, Running, scratchDirectory, supportFile } from './programs.js';

export interface Ended {
  sent: number;
  received: number;
  sending: string;
  receiving: string;
}

export class Traffic {
  constructor(
    readonly directory: string,
    readonly nats: NatsServer,
    readonly service: Running,
    readonly serve: BridgeProcess,
    readonly join: BridgeProcess,
    readonly client: Running,
  ) {}

  /** Waits until both programs have ended their connection, with an error and without a wrong message. */
  async failed(): Promise<{ client: Ended; service: Ended; milliseconds: number }> {
    const start = performance.now();
    const [client, service] = await Promise.all([endOf(this.client), endOf(this.service)]);
    const milliseconds = performance.now() - start;
    for (const end of [client, service]) {
      assert.match(end.sending, /^(EPIPE|ECONNRESET)$/);
      assert.match(end.receiving, /^(EOF|ECONNRESET)$/);
    }
    // Nothing is doubled: the programs count.
    assert.ok(client.received <= service.sent);
    assert.ok(service.received <= client.sent);
    return { client, service, milliseconds };
  }

  /** A new client, to see that sessions work again. */
  async again(t: TestContext): Promise<void> {
    const client = new Running(t, 'python3', [
      supportFile('traffic.py'),
      'join',
      `${this.directory}/clients`,
    ]);
    await client.prints('traffic');
    await pause(200);
    assert.equal(client.isOver, false, client.stdout + client.stderr);
    client.kill();
  }
}

/** Heartbeats of 0.5 s: dead after 1.5 s; the rest is for a busy machine. */
export const LIMIT_MS = 1500 + 3000;

export async function endOf(program: Running): Promise<Ended> {
  const output = await program.prints(/^\{.*\}$/m);
  return JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? '') as Ended;
}

export async function traffic(
  t: TestContext,
  { within = [] as string[], nats }: { within?: string[]; nats?: NatsServer } = {},
): Promise<Traffic> {
  const directory = scratchDirectory(t);
  const server = nats ?? (await startNats(t));
  const program = supportFile('traffic.py');
  const service = new Running(t, 'python3', [program, 'serve', `${directory}/service`]);
  await service.prints('listening');
  const [serve, join] = await Promise.all([
    start(t, 'serve', server.url, `${directory}/service`, { within }),
    start(t, 'join', server.url, `${directory}/clients`),
  ]);
  const client = new Running(t, 'python3', [program, 'join', `${directory}/clients`]);
  // Sending alone is no sign of a session: the kernel takes the first messages.
  await Promise.all([join.until('opened'), serve.until('opened')]);
  await Promise.all([client.prints('traffic'), service.prints('traffic')]);
  return new Traffic(directory, server, service, serve, join, client);
}
