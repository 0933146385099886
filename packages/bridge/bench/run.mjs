// The cost of a bridge beside plain NATS through the same server, in one run:  node packages/bridge/bench/run.mjs [--quick] [PART …]
//
// Needs nats-server. Each round measures the floor and the bridge one after the other; the ratio is that of the round.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const isQuick = process.argv.includes('--quick');
const ROUNDS = isQuick ? 3 : 7;
const scale = isQuick ? 0.2 : 1;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'seqpacket-bridge-bench-'));
const children = [];
const port = 20_000 + (process.pid % 20_000);
const server = `127.0.0.1:${port}`;

function start(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  child.stderr.setEncoding('utf8');
  child.stdout.setEncoding('utf8');
  return child;
}

async function line(child, stream = child.stdout, pattern = /./) {
  for await (const [text] of on(stream, 'data')) {
    const found = text.split('\n').find((each) => pattern.test(each));
    if (found !== undefined) return found;
  }
  throw new Error('no output');
}

async function* on(stream, event) {
  for (;;) yield await once(stream, event);
}

async function peer(role, where, count = 0, bytes = 0) {
  const child = start(process.execPath, [here('peers.mjs'), role, where, String(count), String(bytes)]);
  child.stderr.pipe(process.stderr);
  return { child, first: JSON.parse(await line(child)) };
}

async function bridge(command, subject, address) {
  const args = [command, subject, address, '--server', `nats://${server}`];
  const child = start(process.execPath, [here('../dist/main.js'), ...args]);
  await line(child, child.stdout, /ready/);
  child.stdout.resume();
  return child;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function spread(values, digits = 2) {
  const sorted = [...values].sort((a, b) => a - b);
  return `${median(values).toFixed(digits)} (${sorted[0].toFixed(digits)}–${sorted.at(-1).toFixed(digits)})`;
}

const cpuSeconds = (child) => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
const resident = (child) =>
  Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);

async function roundTrip() {
  const count = Math.round(3000 * scale);
  await peer('natsEcho', server);
  await peer('echo', `${directory}/echo`);
  await bridge('serve', 'bench.echo', `${directory}/echo`);
  await bridge('join', 'bench.echo', `${directory}/echo-clients`);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const floor = (await peer('natsRequests', server, count, 64)).first;
    const direct = (await peer('requests', `${directory}/echo`, count, 64)).first;
    const through = (await peer('requests', `${directory}/echo-clients`, count, 64)).first;
    rounds.push({ floor: floor.p50, direct: direct.p50, through: through.p50, p99: through.p99 });
  }
  const of = (name) => rounds.map((each) => each[name]);
  console.log(
    `round trip, 64 B, µs p50: NATS request ${spread(of('floor'), 0)}, bridge ${spread(of('through'), 0)}`,
  );
  console.log(`  bridge p99 ${spread(of('p99'), 0)}; the socket alone ${spread(of('direct'), 0)}`);
  console.log(`  ratio ${spread(rounds.map(({ floor, through }) => through / floor))} (target: at most 2.2)`);
}

async function oneWay(bytes, count, target) {
  const total = (bytes * count) / 1e6;
  await peer('natsSink', server, count, bytes).then(({ child }) => sinks.push(child));
  const name = `sink-${bytes}`;
  await peer('sink', `${directory}/${name}`, count, bytes);
  const serve = await bridge('serve', `bench.${name}`, `${directory}/${name}`);
  const join = await bridge('join', `bench.${name}`, `${directory}/${name}-clients`);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const floor = (await peer('natsFlood', server, count, bytes)).first.seconds;
    const before = [nats, serve, join].map(cpuSeconds);
    const through = (await peer('flood', `${directory}/${name}-clients`, count, bytes)).first.seconds;
    const cpu = [nats, serve, join].map((child, index) => cpuSeconds(child) - before[index]);
    rounds.push({ floor: total / floor, through: total / through, cpu, rate: count / through });
  }
  for (const sink of sinks.splice(0)) sink.kill();
  const of = (key) => rounds.map((each) => each[key]);
  console.log(
    `one way, ${bytes} B, MB/s: NATS ${spread(of('floor'), 0)}, bridge ${spread(of('through'), 0)}`,
  );
  console.log(`  ratio ${spread(rounds.map(({ floor, through }) => through / floor))}${target}`);
  const each = (index) => median(rounds.map(({ cpu }) => (cpu[index] * 1e6) / count)).toFixed(1);
  console.log(
    `  ${Math.round(median(of('rate')))} messages/s; CPU µs a message: server ${each(0)}, serve ${each(1)}, join ${each(2)}`,
  );
}
const sinks = [];

async function idleSessions() {
  const count = Math.round(1000 * scale);
  await peer('echo', `${directory}/idle`);
  const serve = await bridge('serve', 'bench.idle', `${directory}/idle`);
  const join = await bridge('join', 'bench.idle', `${directory}/idle-clients`);
  const all = [nats, serve, join];
  const memory = all.map(resident);
  const startedAt = performance.now();
  const { child } = await peer('idle', `${directory}/idle-clients`, count);
  const seconds = (performance.now() - startedAt) / 1000;
  const kib = all.map((each, index) => ((resident(each) - memory[index]) / count).toFixed(1));
  console.log(`${count} sessions opened one after the other: ${Math.round(count / seconds)}/s`);
  console.log(`  memory of a session, KiB: server ${kib[0]}, serve ${kib[1]}, join ${kib[2]}`);
  const before = all.map(cpuSeconds);
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const cpu = all.map((each, index) => (((cpuSeconds(each) - before[index]) / 10 / count) * 1e6).toFixed(1));
  console.log(
    `  CPU of an idle session (heartbeats), µs/s: server ${cpu[0]}, serve ${cpu[1]}, join ${cpu[2]}`,
  );
  child.kill();
}

const nats = start('nats-server', ['-a', '127.0.0.1', '-p', String(port)]);
try {
  await line(nats, nats.stderr, /Server is ready/);
  nats.stderr.resume();
  console.log(`Node.js ${process.version}, ${cpus().length} CPUs (${cpus()[0].model})`);
  const parts = {
    'round-trip': roundTrip,
    'one-way': () => oneWay(65_536, Math.round(10_000 * scale), ' (target: at least 0.6)'),
    short: () => oneWay(64, Math.round(200_000 * scale), ''),
    idle: idleSessions,
  };
  const wanted = process.argv.slice(2).filter((arg) => arg in parts);
  for (const [name, part] of Object.entries(parts))
    if (wanted.length === 0 || wanted.includes(name)) await part();
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}
process.exit();
