/** Successive rows as columns, with their contents in one piece of memory: an object for each would need ten times as much. */

/** A row is a message, or an event of a connection. */
export interface Row {
  /** Microseconds since 1970. */
  time: number;
  connection: number;
  flags: number;
  /** 0 for a message; else 1 + an index in EVENTS. */
  event: number;
  /** 0 for none; else 1 + an index in the table of credentials. */
  credentials: number;
  /** The contents of a message, or the detail of an event. */
  data: Uint8Array;
}

const MAX_ROWS = 16_384;
const MAX_BYTES = 4 * 1_048_576;
const FIRST_BYTES = 65_536;

export class Segment {
  times = new Float64Array(MAX_ROWS);
  connections = new Uint32Array(MAX_ROWS);
  /** Where the contents of a row end; they start where those of the row before end. */
  ends = new Uint32Array(MAX_ROWS);
  flags = new Uint8Array(MAX_ROWS);
  events = new Uint8Array(MAX_ROWS);
  credentials = new Uint32Array(MAX_ROWS);
  /** 1 + the number of the request of an answer, or of the answer of a request; 0 for none. */
  partners = new Float64Array(MAX_ROWS);
  /** Microseconds from the request to the answer, of both; negative for none. */
  delays = new Float32Array(MAX_ROWS);
  rows = 0;
  /** How many rows are messages. */
  messages = 0;
  /** The length of all contents. */
  bytes = 0;
  #data = new Uint8Array(FIRST_BYTES);

  /** @param first the number of its first row */
  constructor(readonly first: number) {}

  /** Whether there is room for another row with contents of that length. One row of any length always fits. */
  fits(length: number): boolean {
    return this.rows === 0 || (this.rows < MAX_ROWS && this.bytes + length <= MAX_BYTES);
  }

  push({ time, connection, flags, event, credentials, data }: Row): void {
    const row = this.rows++;
    this.times[row] = time;
    this.connections[row] = connection;
    this.flags[row] = flags;
    this.events[row] = event;
    this.credentials[row] = credentials;
    this.delays[row] = -1;
    if (event === 0) this.messages++;
    this.#reserve(data.length);
    this.#data.set(data, this.bytes);
    this.bytes += data.length;
    this.ends[row] = this.bytes;
  }

  start(row: number): number {
    return row === 0 ? 0 : this.ends[row - 1]!;
  }

  /** A view of the contents. */
  data(row: number): Uint8Array {
    return this.#data.subarray(this.start(row), this.ends[row]);
  }

  /** Frees the memory that was reserved for more rows. */
  seal(): void {
    const { rows } = this;
    this.times = this.times.slice(0, rows);
    this.connections = this.connections.slice(0, rows);
    this.ends = this.ends.slice(0, rows);
    this.flags = this.flags.slice(0, rows);
    this.events = this.events.slice(0, rows);
    this.credentials = this.credentials.slice(0, rows);
    this.partners = this.partners.slice(0, rows);
    this.delays = this.delays.slice(0, rows);
    this.#data = this.#data.slice(0, this.bytes);
  }

  #reserve(length: number): void {
    const needed = this.bytes + length;
    if (needed <= this.#data.length) return;
    const larger = new Uint8Array(Math.max(needed, Math.min(2 * this.#data.length, MAX_BYTES)));
    larger.set(this.#data.subarray(0, this.bytes));
    this.#data = larger;
  }
}
