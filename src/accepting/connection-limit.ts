/** The limit of open sockets that one acceptor has accepted. */

export class ConnectionLimit {
  #open = 0;

  constructor(private readonly max: number) {}

  get isReached(): boolean {
    return this.#open >= this.max;
  }

  /** Counts a socket until its slot is released, or until the socket is garbage-collected. */
  acquire(socket: object): ConnectionSlot {
    this.#open++;
    const slot = new ConnectionSlot(() => this.#open--);
    collected.register(socket, slot);
    return slot;
  }
}

/** The slot of one socket within the limit. */
export class ConnectionSlot {
  #release: (() => void) | undefined;

  constructor(release: () => void) {
    this.#release = release;
  }

  /** Releases the slot. Calling this again does nothing. */
  release(): void {
    this.#release?.();
    this.#release = undefined;
  }
}

const collected = new FinalizationRegistry<ConnectionSlot>((slot) => slot.release());
