/**
 * Where a long list is scrolled to. Browsers limit the height of an element, so that a list of a million rows is higher
 * than the element that is scrolled: small movements are taken as they are, and large ones, by the scroll bar, in proportion.
 */

const MAX_HEIGHT = 8_000_000;

export class ScrollPosition {
  /** How far down the first visible pixel is in the list. */
  top = 0;
  #scrollTop = 0;
  #total = 0;
  #viewport = 0;

  /** @param total the height of all rows */
  resize(total: number, viewport: number): void {
    this.#total = total;
    this.#viewport = viewport;
    this.top = Math.min(this.top, this.maxTop);
  }

  /** The height of the element that is scrolled. */
  get height(): number {
    return Math.max(this.#viewport, Math.min(this.#total, MAX_HEIGHT));
  }

  get maxTop(): number {
    return Math.max(0, this.#total - this.#viewport);
  }

  get #maxScrollTop(): number {
    return this.height - this.#viewport;
  }

  /** The position of the element that fits that of the list. */
  get scrollTop(): number {
    if (this.maxTop === this.#maxScrollTop) return this.top;
    return (this.top / this.maxTop) * this.#maxScrollTop;
  }

  /** Whether the element is no longer where the page has put it. */
  isMovedTo(scrollTop: number): boolean {
    return Math.abs(scrollTop - this.#scrollTop) >= 1;
  }

  /** The element was moved by the reader. */
  scrolled(scrollTop: number): void {
    const delta = scrollTop - this.#scrollTop;
    this.#scrollTop = scrollTop;
    const max = this.#maxScrollTop;
    if (this.maxTop === max) this.top = scrollTop;
    else if (scrollTop <= 0) this.top = 0;
    else if (scrollTop >= max - 1) this.top = this.maxTop;
    else if (Math.abs(delta) <= 2 * this.#viewport) this.top += delta;
    else this.top = (scrollTop / max) * this.maxTop;
    this.top = Math.max(0, Math.min(this.top, this.maxTop));
  }

  /** Goes to a position of the list. */
  goTo(top: number): void {
    this.top = Math.max(0, Math.min(top, this.maxTop));
  }

  /** The element was moved to that position by the page. */
  placed(scrollTop: number): void {
    this.#scrollTop = scrollTop;
  }

  /** Makes a row visible with the shortest movement. */
  reveal(rowTop: number, rowHeight: number): void {
    if (rowTop < this.top) this.goTo(rowTop);
    else if (rowTop + rowHeight > this.top + this.#viewport) this.goTo(rowTop + rowHeight - this.#viewport);
  }
}
