/**
 * The requests that the inspector answers. Every page that a browser shows can send requests to a server on this machine,
 * so a request must come from the page of the inspector itself, and the token shows that its user was given the address.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const TOKEN_BYTES = 32;
const HTTP_PORT = 80;

export interface Refusal {
  status: number;
  reason: string;
}

export class Access {
  readonly token = randomBytes(TOKEN_BYTES).toString('base64url');
  readonly #hosts: readonly string[];

  constructor(port: number) {
    const names = ['127.0.0.1', 'localhost'];
    // Browsers leave the standard port out.
    this.#hosts = names.map((name) => (port === HTTP_PORT ? name : `${name}:${port}`));
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
    if (typeof token !== 'string' || !isSame(token, this.token))
      return { status: 403, reason: 'no valid token: open the address that the command has printed' };
    return undefined;
  }
}

/** Takes the same time for all texts of one length. */
function isSame(text: string, expected: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(text), digest(expected));
}
