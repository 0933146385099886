/** The HTTP server of the inspector: the files of the page, and the requests of the page. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { codeOf, Failure, reasonOf } from '../process/failure.js';
import { drained, type Output } from '../process/output.js';
import { version } from '../process/version.js';
import { Access } from './access.js';
import { framesToRecording, MalformedFrames, recordingToFrames } from './conversion.js';
import { encodeFrame } from './frames.js';
import { PAGE_DIRECTORY, readPageFile } from './page-files.js';
import { bodyOf, piecesOf, TooLong } from './request-body.js';
import { type PageStream, RequestError, type Subject } from './subject.js';
import { TemporaryFile } from './temporary-file.js';

const LOOPBACK = '127.0.0.1';
/** The kernel's limit of messages is far lower: net.core.wmem_max. */
const MAX_MESSAGE_BYTES = 64 * 1_048_576;
/** More than a page keeps. */
const MAX_FILE_BYTES = 2 ** 31;
/** How long a page may take to read the last frames. */
const LAST_READING_MS = 1000;

/** In every answer. */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const;

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const PCAPNG = 'application/x-pcapng';

type Handler = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => Promise<void>;

export class InspectorServer {
  readonly #server: Server;
  readonly #subject: Subject;
  readonly #directory: string;
  readonly #requests = new Set<Promise<void>>();
  readonly #api: ReadonlyMap<string, { method: string; handler: Handler }>;
  #access: Access | undefined;

  private constructor(server: Server, subject: Subject, directory: string) {
    this.#server = server;
    this.#subject = subject;
    this.#directory = directory;
    this.#api = new Map([
      ['/api/frames', { method: 'GET', handler: (_, response) => this.#showFrames(response) }],
      ['/api/send', { method: 'POST', handler: (...args) => this.#send(...args) }],
      [
        '/api/export',
        { method: 'POST', handler: (...exchange) => this.#convert(PCAPNG, framesToRecording, exchange) },
      ],
      [
        '/api/import',
        { method: 'POST', handler: (...exchange) => this.#convert(BYTES, recordingToFrames, exchange) },
      ],
    ]);
  }

  /**
   * @param port 0: a free one
   * @param directory the files of the page
   * @throws {Failure} if the port cannot be used
   */
  static async start(subject: Subject, port: number, directory = PAGE_DIRECTORY): Promise<InspectorServer> {
    // Loaded when it is needed, because loading takes as long as a short command.
    const { createServer } = await import('node:http');
    const server = createServer({ requireHostHeader: false });
    const inspector = new InspectorServer(server, subject, directory);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        const reason = codeOf(error) === 'EADDRINUSE' ? 'the port is in use (EADDRINUSE)' : reasonOf(error);
        reject(new Failure(`cannot listen at ${LOOPBACK}:${port}: ${reason}`));
      });
      server.listen(port, LOOPBACK, resolve);
    });
    inspector.#access = new Access((server.address() as AddressInfo).port);
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      const handled = inspector.#handle(request, response).finally(() => {
        inspector.#requests.delete(handled);
      });
      inspector.#requests.add(handled);
    };
    server.on('request', handle);
    server.on('checkExpectation', handle);
    server.on('clientError', (_error, socket) => {
      const headers = Object.entries({ ...HEADERS, Connection: 'close', 'Content-Length': '0' });
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      if (socket.writable) socket.end(`HTTP/1.1 400 Bad Request\r\n${lines}\r\n`);
      else socket.destroy();
    });
    return inspector;
  }

  /** The address of the page, with the token. */
  get address(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://${LOOPBACK}:${port}/#token=${this.#access?.token}`;
  }

  /** Lets the pages read the last frames, for a limited time, and closes all connections. */
  async close(): Promise<void> {
    this.#server.close();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_READING_MS);
    });
    await Promise.race([Promise.all(this.#requests), timeout]);
    clearTimeout(timer);
    this.#server.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    try {
      await this.#answer(request, response);
    } catch (error) {
      // The page has gone.
      if (request.destroyed && !request.complete) return;
      if (response.headersSent) response.destroy();
      else answerText(response, statusOf(error), reasonOf(error));
      // Discards the rest of the body.
      request.resume();
    }
    if (!response.writableFinished && !response.destroyed) await finished(response);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const access = this.#access as Access;
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const refusal = access.refusalOf(request) ?? (isApi(path) ? access.apiRefusalOf(request) : undefined);
    if (refusal !== undefined) throw new RequestError(refusal.status, refusal.reason);
    const call = this.#api.get(path);
    const allowed = call?.method ?? (isApi(path) ? undefined : 'GET');
    if (allowed !== undefined && request.method !== allowed) {
      response.setHeader('Allow', allowed);
      throw new RequestError(405, `the method must be ${allowed}`);
    }
    if (call !== undefined) {
      await call.handler(request, response, new URLSearchParams(query));
      return;
    }
    const file = await readPageFile(this.#directory, path);
    if (file === undefined) throw new RequestError(404, 'not found');
    response.setHeader('Content-Type', file.type);
    response.end(file.contents);
  }

  async #showFrames(response: ServerResponse): Promise<void> {
    const { title, isLive } = this.#subject;
    response.setHeader('Content-Type', BYTES);
    response.write(encodeFrame({ type: 'hello', title, isLive, version }));
    await this.#subject.show(pageStreamOf(response));
    response.end();
  }

  async #send(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const connection = Number(query.get('connection') || Number.NaN);
    const direction = query.get('direction');
    if (!Number.isInteger(connection)) throw new RequestError(400, 'the connection must be a number');
    if (direction !== 'to server' && direction !== 'to client')
      throw new RequestError(400, 'the direction must be "to server" or "to client"');
    const data = await bodyOf(request, MAX_MESSAGE_BYTES);
    await this.#subject.send(connection, direction, data);
    response.statusCode = 204;
    response.end();
  }

  /** Answers when the whole body was converted: a browser reads no answer before it has sent the request. */
  async #convert(
    type: string,
    convert: (pieces: AsyncIterable<Buffer>, output: Output) => Promise<void>,
    [request, response]: Parameters<Handler>,
  ): Promise<void> {
    const file = await TemporaryFile.create();
    try {
      await convert(piecesOf(request, MAX_FILE_BYTES), file.output);
      response.setHeader('Content-Length', await file.finish());
      response.setHeader('Content-Type', type);
      const stream = pageStreamOf(response);
      for await (const piece of file.read()) {
        if (stream.isClosed) return;
        await stream.write(piece);
      }
      response.end();
    } finally {
      file.close();
    }
  }
}

function isApi(path: string): boolean {
  return path === '/api' || path.startsWith('/api/');
}

function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  if (error instanceof TooLong) return 413;
  if (error instanceof Failure || error instanceof MalformedFrames) return 422;
  return codeOf(error) === 'ENOSPC' ? 507 : 500;
}

function answerText(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', TEXT);
  response.end(`${text}\n`);
}

function finished(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('finish', resolve);
    response.once('close', resolve);
  });
}

function pageStreamOf(response: ServerResponse): PageStream {
  return {
    get isClosed() {
      return response.destroyed;
    },
    get isFull() {
      return response.writableNeedDrain;
    },
    closed: new Promise((resolve) => response.once('close', resolve)),
    write: (bytes) => (response.write(bytes) ? undefined : drained(response)),
  };
}
