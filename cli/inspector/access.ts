/**
 * The requests that the inspector answers. Every page that a browser shows can send requests to a server on this machine,
 * so a request must come from the page of the inspector itself, and the token shows that its user was given the address.
 */
import type { IncomingMessage } from 'node:http';

const TOKEN_BYTES = 32;
const HTTP_PORT = 80;

export interface Refusal {
  status: number;
  reason: string;
}

type Crypto = typeof import('node:crypto');

export class Access {
  readonly token: string;
  readonly #crypto: Crypto;
  readonly #hosts: readonly string[];

  private constructor(port: number, crypto: Crypto) {
    this.#crypto = crypto;
    this.token = crypto.randomBytes(TOKEN_BYTES).toString('base64url');
    const names = ['127.0.0.1', 'localhost'];
    // Browsers leave the standard port out.
    this.#hosts = names.map((name) => (port === HTTP_PORT ? name : `${name}:${port}`));
  }

  static async create(port: number): Promise<Access> {
    // Loaded when it is needed, because loading takes longer than most commands.
    return new Access(port, await import('node:crypto'));
  }

  /** Refuses requests from other pages, and under another name than that of this machine (DNS rebinding). */
  refusalOf({ headers, headersDistinct }: IncomingMessage): Refusal | undefined {
    const { host, origin } = headers;
    if (host === undefined || headersDistinct['host']?.length !== 1 || !this.#hosts.includes(host))
      return { status: 421, reason: `the host must be ${this.#hosts.join(' or ')}` };
    if (origin !== undefined && origin !== `http://${host}`) return { status: 403, reason: 'another origin' };
    const site = headers['sec-fetch-site'];
    // "none": typed into the address bar.
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      return { status: 403, reason: 'from another site: paste the address into the address bar' };
    return undefined;
  }

  /** Refuses requests for data. */
  apiRefusalOf({ headers }: IncomingMessage): Refusal | undefined {
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin') return { status: 403, reason: 'not from the page' };
    const token = headers['x-seqpacket-token'];
    if (typeof token !== 'string' || !this.#isToken(token))
      return { status: 403, reason: 'no valid token: open the address that the command has printed' };
    return undefined;
  }

  /** Takes the same time for all texts of one length. */
  #isToken(text: string): boolean {
    const digest = (value: string) => this.#crypto.createHash('sha256').update(value).digest();
    return this.#crypto.timingSafeEqual(digest(text), digest(this.token));
  }
}
