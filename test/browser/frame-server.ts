/** A server in place of the inspector's, which sends many frames faster than a trace or a recording can. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeFrame } from '../../cli/inspector/frames.js';

const PAGE = fileURLToPath(new URL('../../../dist/inspector/', import.meta.url));
const TYPES: Record<string, string> = {
  html: 'text/html',
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
};
const MESSAGES_AT_ONCE = 2000;
const START = 1_700_000_000_000_000;

/** Returns the address of a page. Messages with even numbers are requests, the others are their answers. */
export async function serveFrames(t: TestContext, messages: number): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url === '/api/frames') {
      void sendFrames(response, messages);
      return;
    }
    const name = request.url === '/' ? 'index.html' : request.url!.slice(1);
    response.setHeader('Content-Type', TYPES[name.split('.')[1]!]!);
    response.setHeader('Content-Security-Policy', "default-src 'self'");
    response.end(readFileSync(`${PAGE}${name}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/#token=none`;
}

async function sendFrames(response: ServerResponse, messages: number): Promise<void> {
  response.write(encodeFrame({ type: 'hello', title: 'many messages', isLive: true, version: '' }));
  response.write(encodeFrame({ type: 'connection', connection: 1, time: START, peers: 'test' }));
  let frames: Uint8Array[] = [];
  for (let number = 0; number < messages; number++) {
    const isRequest = number % 2 === 0;
    const data = Buffer.from(`{"${isRequest ? 'request' : 'answer'}":${number},"key":"order ${number}"}`);
    const direction = isRequest ? 'to server' : 'to client';
    const time = START + number * 100 + (isRequest ? 0 : number % 50);
    frames.push(encodeFrame({ type: 'message', connection: 1, time, direction, fds: [] }, data));
    if (frames.length < MESSAGES_AT_ONCE && number < messages - 1) continue;
    if (!response.write(Buffer.concat(frames))) await once(response, 'drain');
    frames = [];
  }
}
