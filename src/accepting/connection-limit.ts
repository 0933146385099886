/** How many of the sockets that an acceptor has accepted may be open at once. */

export class ConnectionLimit {
  #open = 0;

  constructor(private readonly max: number) {}

  get isReached(): boolean {
    return this.#open >= this.max;
  }

  /** Counts one more, until it leaves, or until it is collected. */
  enter(socket: object): ConnectionSlot {
    this.#open++;
    const place = new ConnectionSlot(() => this.#open--);
    collected.register(socket, place);
    return place;
  }
}

/** The place of one socket. */
export class ConnectionSlot {
  #leave: (() => void) | undefined;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  /** Leaving twice does nothing. */
  leave(): void {
    this.#leave?.();
    this.#leave = undefined;
  }
}

const collected = new FinalizationRegistry<ConnectionSlot>((place) => place.leave());
