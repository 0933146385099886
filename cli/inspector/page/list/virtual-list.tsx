/** A list of rows of equal height, of which only the visible ones are in the document. */
import { Component, type ComponentChildren, createRef, type HTMLAttributes } from 'preact';
import { ScrollPosition } from './scroll-position.js';

export interface RowPlace {
  index: number;
  /** Rows that are scrolled away give their element to new ones. */
  key: number;
  style: { transform: string; height: string };
}

interface Props {
  id: string;
  class: string;
  role: 'grid' | 'listbox' | 'group';
  label: string;
  attributes?: HTMLAttributes<HTMLDivElement>;
  count: number;
  rowHeight: number;
  /** How many rows were removed at the start. */
  removed?: number;
  /** Another number means that all rows are different. */
  generation?: number;
  /** Whether the end is shown when rows are added. */
  isFollowing?: boolean;
  onFollow?: (isFollowing: boolean) => void;
  /** This row is made visible when the number of `revealed` changes. */
  active?: number | undefined;
  revealed?: number;
  /** Remains above the rows. */
  head?: ComponentChildren;
  headHeight?: number;
  row: (place: RowPlace) => ComponentChildren;
}

/** After the last movement. Setting the position earlier would stop the movement. */
const SETTLE_MS = 150;
const MORE_ROWS = 2;

export class VirtualList extends Component<Props> {
  readonly #scroller = createRef<HTMLDivElement>();
  readonly #position = new ScrollPosition();
  readonly #observer = new ResizeObserver(() => this.#measure());
  #viewport = 0;
  #removed = 0;
  #generation: number | undefined;
  #revealed: number | undefined;
  /** Whether the page has changed the position. */
  #mustPlace = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  override componentDidMount(): void {
    this.#observer.observe(this.#scroller.current!);
    this.#measure();
  }

  override componentWillUnmount(): void {
    this.#observer.disconnect();
    clearTimeout(this.#timer);
  }

  override componentDidUpdate(): void {
    this.#place();
  }

  /** How many whole rows are visible. */
  get pageRows(): number {
    return Math.max(1, Math.floor(this.#viewport / this.props.rowHeight) - 1);
  }

  override render(): ComponentChildren {
    const { id, count, rowHeight, head, headHeight = 0, active } = this.props;
    this.#arrange();
    const position = this.#position;
    const first = Math.max(0, Math.floor(position.top / rowHeight));
    const end = Math.min(count, Math.ceil((position.top + this.#viewport) / rowHeight));
    const keys = Math.ceil(this.#viewport / rowHeight) + MORE_ROWS;
    const rows: ComponentChildren[] = [];
    for (let index = first; index < end; index++) {
      const top = Math.round(index * rowHeight - position.top);
      rows.push(
        this.props.row({
          index,
          key: index % keys,
          style: { transform: `translateY(${top}px)`, height: `${rowHeight}px` },
        }),
      );
    }
    const isActiveVisible = active !== undefined && active >= first && active < end;
    return (
      // biome-ignore lint/a11y/useAriaPropsSupportedByRole: all of its roles support a label
      <div
        {...this.props.attributes}
        ref={this.#scroller}
        id={id}
        class={`list ${this.props.class}`}
        role={this.props.role}
        aria-label={this.props.label}
        aria-activedescendant={isActiveVisible ? `${id}-${active}` : undefined}
        tabIndex={0}
        onScroll={this.#onScroll}
        onWheel={this.#onWheel}
      >
        {head}
        <div class="list-space" role="presentation" style={{ height: `${position.height}px` }}>
          <div
            class="list-window"
            role={this.props.role === 'grid' ? 'rowgroup' : 'presentation'}
            style={{ height: `${this.#viewport}px`, top: `${headHeight}px` }}
          >
            {rows}
          </div>
        </div>
      </div>
    );
  }

  /** Moves to the position that the properties ask for. */
  #arrange(): void {
    const { count, rowHeight, removed = 0, generation, isFollowing, active, revealed } = this.props;
    const position = this.#position;
    if (generation !== this.#generation) this.#removed = removed;
    if (removed !== this.#removed) {
      position.goTo(position.top - (removed - this.#removed) * rowHeight);
      this.#removed = removed;
      this.#mustPlace = true;
    }
    this.#generation = generation;
    const before = position.top;
    position.resize(count * rowHeight, this.#viewport);
    if (isFollowing) position.goTo(position.maxTop);
    if (revealed !== this.#revealed && active !== undefined && this.#viewport > 0) {
      this.#revealed = revealed;
      position.reveal(active * rowHeight, rowHeight);
    }
    if (position.top !== before) this.#mustPlace = true;
  }

  #place(): void {
    const scroller = this.#scroller.current;
    if (scroller === null || !this.#mustPlace) return;
    this.#mustPlace = false;
    scroller.scrollTop = this.#position.scrollTop;
    this.#position.placed(scroller.scrollTop);
  }

  #measure(): void {
    const scroller = this.#scroller.current;
    if (scroller === null) return;
    const viewport = Math.max(0, scroller.clientHeight - (this.props.headHeight ?? 0));
    if (viewport === this.#viewport) return;
    this.#viewport = viewport;
    this.#mustPlace = true;
    this.forceUpdate();
  }

  readonly #onScroll = (): void => {
    const { scrollTop } = this.#scroller.current!;
    const position = this.#position;
    if (!position.isMovedTo(scrollTop)) return;
    position.scrolled(scrollTop);
    this.props.onFollow?.(position.top >= position.maxTop - 1);
    this.forceUpdate();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#mustPlace = true;
      this.#place();
    }, SETTLE_MS);
  };

  readonly #onWheel = (event: WheelEvent): void => {
    if (event.deltaY < 0 && this.#position.maxTop > 0) this.props.onFollow?.(false);
  };
}
