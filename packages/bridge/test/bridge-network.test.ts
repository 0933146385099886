/** Two machines: network namespaces with a link that is cut and joined again. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { startNats, withNats } from './support/nats-server.js';
import { missing } from './support/programs.js';
import { LIMIT_MS, traffic } from './support/traffic.js';

function ip(...args: string[]): boolean {
  return spawnSync('ip', args).status === 0;
}

/** Why the tests are skipped, or false. */
function skipReason(): string | false {
  const absent = withNats.skip || missing('ip');
  if (absent) return absent;
  const name = `sqb-probe-${process.pid}`;
  if (!ip('netns', 'add', name)) return 'network namespaces need root';
  ip('netns', 'del', name);
  return false;
}

/** A namespace that is joined to this one by a link. */
class Machine {
  readonly name: string;
  readonly #link: string;

  constructor(t: TestContext, number: number) {
    this.name = `sqb-${process.pid}-${number}`;
    this.#link = `sqb${process.pid % 100000}${number}`;
    const inside = `${this.#link}i`;
    t.after(() => {
      ip('link', 'del', this.#link);
      ip('netns', 'del', this.name);
    });
    const commands = [
      ['netns', 'add', this.name],
      ['link', 'add', this.#link, 'type', 'veth', 'peer', 'name', inside, 'netns', this.name],
      ['addr', 'add', `${hostOf(number)}/30`, 'dev', this.#link],
      ['link', 'set', this.#link, 'up'],
      ['-n', this.name, 'addr', 'add', `${guestOf(number)}/30`, 'dev', inside],
      ['-n', this.name, 'link', 'set', inside, 'up'],
      ['-n', this.name, 'link', 'set', 'lo', 'up'],
    ];
    for (const command of commands) assert.ok(ip(...command), `ip ${command.join(' ')}`);
  }

  get within(): string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  cut(): void {
    assert.ok(ip('link', 'set', this.#link, 'down'));
  }

  mend(): void {
    assert.ok(ip('link', 'set', this.#link, 'up'));
  }
}

/** From 198.18.0.0/15, which is for tests of networks. */
const block = (process.pid % 60) * 4;
const hostOf = (number: number) => `198.18.${(process.pid >> 6) % 250}.${((block + 4 * number) % 252) + 1}`;
const guestOf = (number: number) => `198.18.${(process.pid >> 6) % 250}.${((block + 4 * number) % 252) + 2}`;

test('the network is cut and joined again', { skip: skipReason() }, async (t) => {
  const machine = new Machine(t, 0);
  const nats = await startNats(t, { host: hostOf(0), configuration: 'ping_interval: "500ms"' });
  const running = await traffic(t, { nats, within: machine.within });
  machine.cut();
  const { milliseconds } = await running.failed();
  assert.ok(milliseconds < LIMIT_MS, `${milliseconds} ms`);
  for (const bridge of [running.serve, running.join]) {
    const [closed] = await bridge.until('closed');
    assert.equal(closed?.code, 'ECONNRESET');
    assert.match(closed?.reason ?? '', /nothing was heard|connection to NATS was lost/);
  }
  machine.mend();
  await running.serve.until('reconnected');
  await running.again(t);
});

test('a short break of the network ends no session', { skip: skipReason() }, async (t) => {
  const machine = new Machine(t, 0);
  const nats = await startNats(t, { host: hostOf(0) });
  const running = await traffic(t, { nats, within: machine.within });
  machine.cut();
  await new Promise((resolve) => setTimeout(resolve, 200));
  machine.mend();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const bridge of [running.serve, running.join]) assert.deepEqual(bridge.of('closed'), []);
  running.client.kill('SIGKILL');
  await running.join.until('closed');
});
