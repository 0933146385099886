/**
 * A server and a client, two processes, on one socket file. The client sends a text file line by line, one
 * message for each line, and passes the file's descriptor with the last message. The server prints the
 * messages and the identity of the client, reads the file through the descriptor, and compares. The exit
 * code is 0 only if the comparison succeeded and no file was left behind.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../../LICENSE', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'seqpacket-demo-'));
const socket = join(directory, 'server.sock');

function start(program: 'server' | 'client', ...args: string[]) {
  const script = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.setEncoding('utf8');
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { stdout: child.stdout, pid: child.pid, exit };
}

console.log(`socket  ${socket}`);
console.log(`file    ${file}\n`);

const server = start('server', socket);
const listening = new Promise<void>((resolve) => server.stdout.once('data', () => resolve()));
server.stdout.pipe(process.stdout);
await Promise.race([listening, server.exit]);
const client = start('client', socket, file);
client.stdout.pipe(process.stdout);

const [serverExit, clientExit] = await Promise.all([server.exit, client.exit]);
const left = existsSync(directory) ? readdirSync(directory) : [];
if (left.length === 0) rmdirSync(directory);

const held = serverExit === 0 && clientExit === 0 && left.length === 0;
console.log(
  held
    ? '\nAll of it held: boundaries, identity, descriptor, contents; nothing is left behind.'
    : `\nFAILED: server ${serverExit}, client ${clientExit}, left behind: ${left.join(' ') || 'nothing'}`,
);
process.exitCode = held ? 0 : 1;
