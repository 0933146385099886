/** When the page is drawn: at once after an action, less often while data arrives. */

/** While data arrives. */
const INTERVAL_MS = 50;
/** Of a frame, for filtering and the like. */
const WORK_MS = 6;

export class Drawing {
  readonly #draw: () => void;
  readonly #work: (isTimeOver: () => boolean) => boolean;
  #frame = 0;
  /** When the page was drawn. */
  #drawn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param work called before the page is drawn; returns whether there is more to do
   */
  constructor(work: (isTimeOver: () => boolean) => boolean, draw: () => void) {
    this.#work = work;
    this.#draw = draw;
  }

  readonly request = (isUrgent: boolean): void => {
    if (this.#frame !== 0) return;
    if (isUrgent) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#frame = requestAnimationFrame(this.#onFrame);
    } else {
      const pause = this.#drawn + INTERVAL_MS - performance.now();
      this.#timer ??= setTimeout(() => this.request(true), Math.max(0, pause));
    }
  };

  readonly #onFrame = (): void => {
    this.#frame = 0;
    const end = performance.now() + WORK_MS;
    const isBusy = this.#work(() => performance.now() >= end);
    this.#draw();
    this.#drawn = performance.now();
    if (isBusy) this.request(true);
  };
}
