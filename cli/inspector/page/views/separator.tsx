/** The bar between the list and the details, which changes their widths. */
import { Component, type ComponentChildren, createRef } from 'preact';

const MIN_WIDTH = 260;
const DEFAULT_WIDTH = 496;
const KEY_STEP = 24;
/** What remains for the list. */
const MIN_REST = 500;

export class Separator extends Component {
  readonly #bar = createRef<HTMLDivElement>();
  #width = DEFAULT_WIDTH;

  override render(): ComponentChildren {
    return (
      <div
        ref={this.#bar}
        class="separator"
        role="separator"
        aria-orientation="vertical"
        aria-label="Width of the details"
        aria-valuenow={this.#width}
        aria-valuemin={MIN_WIDTH}
        aria-valuemax={Math.max(MIN_WIDTH, window.innerWidth - MIN_REST)}
        tabIndex={0}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId))
            this.#resize(window.innerWidth - event.clientX);
        }}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
          event.preventDefault();
          this.#resize(this.#width + (event.key === 'ArrowLeft' ? KEY_STEP : -KEY_STEP));
        }}
      />
    );
  }

  #resize(width: number): void {
    this.#width = Math.round(Math.max(MIN_WIDTH, Math.min(width, window.innerWidth - MIN_REST)));
    document.documentElement.style.setProperty('--detail-width', `${this.#width}px`);
    this.forceUpdate();
  }
}
