/** From a received descriptor back to what Node.js users hold; docs/guide/descriptors.md has the same recipes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect as connectTcp, createServer, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import type { FdSource, FileDescriptor } from 'seqpacket';
import { openDescriptors } from '../support/descriptors.js';
import { scratchPath } from '../support/scratch.js';
import { socketPair } from '../support/sockets.js';

/** Passes a descriptor through a pair, as if it came from another process. */
async function passed(source: FdSource): Promise<FileDescriptor> {
  using ends = socketPair();
  await ends.a.sendWithFds(Buffer.from('x'), [source]);
  const { fds } = await ends.b.receiveMessage({ maxFds: 1 });
  return fds[0] as FileDescriptor;
}

test('as a stream of node:fs, for reading and writing', async () => {
  const path = scratchPath('file');
  const before = openDescriptors().size;
  const file = await open(path, 'w');
  const toWrite = await passed(file);
  await file.close();
  await pipeline(['through ', 'a stream'], createWriteStream('', { fd: toWrite.detach() }));

  const source = await open(path);
  const toRead = await passed(source);
  await source.close();
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream('', { fd: toRead.detach() })) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), 'through a stream');
  assert.equal(openDescriptors().size, before);
});

test('a stream of node:fs can be passed', async () => {
  const path = scratchPath('file');
  writeFileSync(path, 'contents');
  const stream = createReadStream(path);
  await once(stream, 'open');
  using received = await passed(stream as unknown as { fd: number });
  stream.destroy();
  assert.equal(readFileSync(received.fd, 'utf8'), 'contents');
});

test('as a connected net.Socket', async () => {
  const server = createServer((socket) => socket.end('from the server')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connectTcp((server.address() as { port: number }).port, '127.0.0.1');
  await once(client, 'connect');
  const received = await passed(client);
  client.destroy();
  const again = new Socket({ fd: received.detach() });
  const chunks: Buffer[] = [];
  for await (const chunk of again) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), 'from the server');
  server.close();
});

test('as a listening net.Server', async () => {
  const first = createServer((socket) => socket.end('first')).listen(0, '127.0.0.1');
  await once(first, 'listening');
  const { port } = first.address() as { port: number };
  const received = await passed(first);
  first.close();
  const second = createServer((socket) => socket.end('second')).listen({ fd: received.detach() });
  await once(second, 'listening');
  const client = connectTcp(port, '127.0.0.1');
  assert.equal(String((await once(client, 'data'))[0]), 'second');
  client.destroy();
  second.close();
});

test('as stdio of a child', async () => {
  const path = scratchPath('output');
  const file = await open(path, 'w');
  using received = await passed(file);
  await file.close();
  const child = spawn('sh', ['-c', 'echo written by a child'], { stdio: ['ignore', received.fd, 'inherit'] });
  await once(child, 'exit');
  assert.equal(readFileSync(path, 'utf8'), 'written by a child\n');
});

test('a pipe of a child process can be passed', async () => {
  const child = spawn('sh', ['-c', 'read line; echo "got $line"'], { stdio: ['pipe', 'pipe', 'inherit'] });
  using stdin = await passed(child.stdin as Socket);
  writeFileSync(stdin.fd, 'a line\n');
  assert.equal(String((await once(child.stdout, 'data'))[0]), 'got a line\n');
  child.stdin.destroy();
  await once(child, 'exit');
});
