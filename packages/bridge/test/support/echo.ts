/** The service of echo.py, alone or behind two bridges. */
import type { TestContext } from 'node:test';
import { type BridgeProcess, start } from './bridges.js';
import { type NatsServer, startNats } from './nats-server.js';
import { Running, scratchDirectory, supportFile } from './programs.js';

/** @param name what it sends to each client first */
export async function echoService(t: TestContext, address: string, name?: string): Promise<Running> {
  const args = [supportFile('echo.py'), address, ...(name === undefined ? [] : [name])];
  const service = new Running(t, 'python3', args);
  await service.prints('listening');
  return service;
}

export interface EchoBehindBridges {
  /** Clients connect to `clients` in this directory; the service listens at `service`. */
  directory: string;
  nats: NatsServer;
  service: Running;
  serve: BridgeProcess;
  join: BridgeProcess;
}

export async function echoBehindBridges(
  t: TestContext,
  { name, args }: { name?: string; args?: readonly string[] } = {},
): Promise<EchoBehindBridges> {
  const directory = scratchDirectory(t);
  const nats = await startNats(t);
  const service = await echoService(t, `${directory}/service`, name);
  const options = args === undefined ? {} : { args };
  const serve = await start(t, 'serve', nats.url, `${directory}/service`, options);
  const join = await start(t, 'join', nats.url, `${directory}/clients`, options);
  return { directory, nats, service, serve, join };
}
