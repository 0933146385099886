/** Bridges as processes: the command of the package. */
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LogEvent } from 'seqpacket-bridge';
import { pause, Running } from './programs.js';

const COMMAND = fileURLToPath(new URL('../../../packages/bridge/dist/main.js', import.meta.url));

/** A heartbeat that suits tests: dead after 1.5 s. */
export const FAST = ['--heartbeat', '0.5'];

export class BridgeProcess extends Running {
  constructor(t: TestContext, args: readonly string[], within: readonly string[] = []) {
    const [program = '', ...all] = [...within, process.execPath, COMMAND, ...args];
    super(t, program, all);
    t.after(() => {
      if (process.env['SEQPACKET_BRIDGE_LOG'])
        t.diagnostic(`${args.join(' ')}\n${this.stdout}${this.stderr}`);
    });
  }

  /** The log, if the bridge has --json. */
  get events(): LogEvent[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogEvent);
  }

  of<Name extends LogEvent['event']>(name: Name): Extract<LogEvent, { event: Name }>[] {
    return this.events.filter((each) => each.event === name) as Extract<LogEvent, { event: Name }>[];
  }

  /** Waits for a number of events of a kind, and returns them. */
  async until<Name extends LogEvent['event']>(
    name: Name,
    count = 1,
  ): Promise<Extract<LogEvent, { event: Name }>[]> {
    for (;;) {
      const found = this.of(name);
      if (found.length >= count) return found;
      if (this.isOver) throw new Error(`The bridge ended without ${name}:\n${this.stdout}${this.stderr}`);
      await pause(5);
    }
  }
}

export interface BridgeArguments {
  subject?: string;
  args?: readonly string[];
  within?: readonly string[];
}

export async function start(
  t: TestContext,
  command: 'serve' | 'join',
  url: string,
  address: string,
  { subject = 'test.service', args = FAST, within = [] }: BridgeArguments = {},
): Promise<BridgeProcess> {
  const bridge = new BridgeProcess(
    t,
    [command, subject, address, '--server', url, '--json', ...args],
    within,
  );
  await bridge.until('ready');
  return bridge;
}
