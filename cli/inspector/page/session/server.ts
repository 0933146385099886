/** The requests to the inspector. Each has the token, which only the address of the page contains. */
import type { Direction } from '../../frames.js';

/** The inspector has refused, with a reason to show. */
export class Refused extends Error {}

export class Server {
  readonly #token: string;

  /** @param fragment that of the page's address: `#token=…` */
  constructor(fragment: string) {
    this.#token = new URLSearchParams(fragment.slice(1)).get('token') ?? '';
  }

  get hasToken(): boolean {
    return this.#token !== '';
  }

  async frames(): Promise<ReadableStream<Uint8Array>> {
    return (await this.#request('GET', 'frames')).body!;
  }

  async send(connection: number, direction: Direction, data: Uint8Array<ArrayBuffer>): Promise<void> {
    const query = `connection=${connection}&direction=${encodeURIComponent(direction)}`;
    await this.#request('POST', `send?${query}`, new Blob([data]));
  }

  /** Makes a recording of frames. */
  async exported(frames: Blob): Promise<Blob> {
    return (await this.#request('POST', 'export', frames)).blob();
  }

  /** The frames of a recording. */
  async imported(recording: Blob): Promise<ReadableStream<Uint8Array>> {
    return (await this.#request('POST', 'import', recording)).body!;
  }

  async #request(method: string, path: string, body: Blob | null = null): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`api/${path}`, { method, body, headers: { 'X-Seqpacket-Token': this.#token } });
    } catch {
      throw new Refused('seqpacket does not answer: it has ended');
    }
    if (!response.ok) throw new Refused((await response.text()).trim() || `status ${response.status}`);
    return response;
  }
}
