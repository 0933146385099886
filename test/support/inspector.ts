/** The inspector: its parts, which are only in the bundle of the command, and requests to its server. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { after, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import type * as Frames from '../../cli/inspector/frames.js';
import type * as HistoryModule from '../../cli/inspector/history.js';
import type * as ServerModule from '../../cli/inspector/inspector-server.js';
import type * as ServingModule from '../../cli/inspector/serve-recording.js';
import type * as StoppingModule from '../../cli/process/stopping.js';
import type * as RecordingModule from '../../cli/trace/recording.js';
import { Cli } from './command.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A file beside those of the package, where the parts find its version. */
export const PARTS = `${root}build/inspector-parts-${process.pid}.mjs`;

buildSync({
  stdin: {
    contents: [
      'inspector/frames',
      'inspector/history',
      'inspector/inspector-server',
      'inspector/serve-recording',
      'process/stopping',
      'trace/recording',
    ]
      .map((name) => `export * from './${name}.js';`)
      .join('\n'),
    resolveDir: `${root}cli`,
    loader: 'ts',
  },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['seqpacket'],
  outfile: PARTS,
});
after(() => rmSync(PARTS));

type Parts = typeof Frames &
  typeof HistoryModule &
  typeof ServerModule &
  typeof ServingModule &
  typeof StoppingModule &
  typeof RecordingModule;

export const { encodeFrame, FrameReader, History, InspectorServer, readRecording } = (await import(
  PARTS
)) as Parts;

export type Frame = Frames.Frame;
export type Subject = Parameters<(typeof InspectorServer)['start']>[0];

/** A frame with its data. */
export type Read = Frame & { data: Buffer };

/** All frames of some bytes. */
export function framesIn(bytes: Uint8Array): Read[] {
  const frames: Read[] = [];
  const reader = new FrameReader();
  reader.push(bytes, (frame, data) => frames.push({ ...frame, data: Buffer.from(data) }));
  assert.equal(reader.hasRest, false, 'the last frame is incomplete');
  return frames;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Asked {
  method?: string;
  /** Besides the token. */
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  /** Another one, or none. */
  token?: string | undefined;
  /** Without the header Host. */
  noHost?: boolean;
}

/** What a page of the inspector does. */
export class Page {
  readonly port: number;
  readonly token: string;

  /** @param text contains the address */
  constructor(text: string) {
    const match = /http:\/\/127\.0\.0\.1:(\d+)\/#token=([\w-]{43})(?![\w-])/.exec(text);
    assert.ok(match, `no address in ${text}`);
    this.port = Number(match[1]);
    this.token = match[2] as string;
  }

  async ask(path: string, asked: Asked = {}): Promise<Answer> {
    const message = await this.#open(path, asked);
    const pieces: Buffer[] = [];
    for await (const piece of message) pieces.push(piece);
    return { status: message.statusCode as number, headers: message.headers, body: Buffer.concat(pieces) };
  }

  /** A stream of frames, which is closed when the test ends. */
  async frames(t: TestContext): Promise<FrameStream> {
    const message = await this.#open('/api/frames', {});
    t.after(() => message.destroy());
    assert.equal(message.statusCode, 200);
    return new FrameStream(message);
  }

  send(connection: number, direction: string, body: Uint8Array | string): Promise<Answer> {
    const query = new URLSearchParams({ connection: String(connection), direction });
    return this.ask(`/api/send?${query}`, { method: 'POST', body });
  }

  #open(path: string, asked: Asked): Promise<IncomingMessage> {
    const { method = 'GET', headers = {}, body, noHost = false } = asked;
    const token = 'token' in asked ? asked.token : this.token;
    const options: RequestOptions = {
      host: '127.0.0.1',
      port: this.port,
      path,
      method,
      setHost: !noHost,
      headers: { ...(token === undefined ? {} : { 'X-Seqpacket-Token': token }), ...headers },
      agent: false,
    };
    return new Promise((resolve, reject) => {
      request(options, resolve).on('error', reject).end(body);
    });
  }
}

export class FrameStream {
  readonly frames: Read[] = [];
  /** The number of messages that were read, whose contents are kept only if `keepMessages` is set. */
  messages = 0;
  leftOut = 0;
  keepMessages = true;
  hasEnded = false;
  #wake = () => {};

  constructor(readonly message: IncomingMessage) {
    const reader = new FrameReader();
    message.on('data', (piece: Buffer) => {
      reader.push(piece, (frame, data) => {
        if (frame.type === 'message') this.messages++;
        if (frame.type === 'left out') this.leftOut += frame.messages;
        if (frame.type !== 'message' || this.keepMessages)
          this.frames.push({ ...frame, data: Buffer.from(data) });
      });
      this.#wake();
    });
    message.on('end', () => {
      this.hasEnded = true;
      this.#wake();
    });
    message.on('error', () => {});
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.hasEnded) assert.fail(`the stream has ended: ${JSON.stringify(this.frames)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async ended(): Promise<void> {
    while (!this.hasEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits for a number of frames of this type, and returns all of them. */
  async all<Type extends Frame['type']>(
    type: Type,
    count: number,
  ): Promise<(Extract<Frame, { type: Type }> & { data: Buffer })[]> {
    const found = () => this.frames.filter((frame) => frame.type === type);
    await this.until(() => found().length >= count);
    return found() as (Extract<Frame, { type: Type }> & { data: Buffer })[];
  }
}

/** A `trace --web` that is ready, and a page of it. */
export async function inspected(
  t: TestContext,
  from: string,
  to: string,
  ...options: string[]
): Promise<{ trace: Cli; page: Page }> {
  const trace = new Cli(t, ['trace', from, to, ...options, '--web']);
  await trace.tells('#token=');
  await trace.tells('in a browser\n');
  return { trace, page: new Page(trace.stderr) };
}
