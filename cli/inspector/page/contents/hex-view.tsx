/** Contents in hexadecimal beside ASCII, with offsets. */
import { Component, type ComponentChildren, createRef } from 'preact';
import { VirtualList } from '../list/virtual-list.js';
import { hexLine } from './hex.js';

const ROW_HEIGHT = 18;
/** Bytes of a line, if it is wide enough. */
const WIDE = 16;
const NARROW = 8;
/** What a line of 16 bytes needs. */
const WIDE_PIXELS = 490;

interface Props {
  data: Uint8Array;
}

export class HexView extends Component<Props> {
  readonly #frame = createRef<HTMLDivElement>();
  readonly #observer = new ResizeObserver(() => this.forceUpdate());

  override componentDidMount(): void {
    this.#observer.observe(this.#frame.current!);
  }

  override componentWillUnmount(): void {
    this.#observer.disconnect();
  }

  override render(): ComponentChildren {
    const { data } = this.props;
    const width = (this.#frame.current?.clientWidth ?? 0) >= WIDE_PIXELS ? WIDE : NARROW;
    return (
      <div ref={this.#frame} class="hex-frame">
        <VirtualList
          id="hex"
          class="hex"
          role="group"
          label="Contents in hexadecimal"
          count={Math.ceil(data.length / width)}
          rowHeight={ROW_HEIGHT}
          row={({ index, key, style }) => {
            const { offset, hex, ascii } = hexLine(data, index, width);
            return (
              <div key={key} class="hex-line" style={style}>
                <span class="hex-offset">{offset}</span>
                <span class="hex-bytes">{hex}</span>
                <span class="hex-ascii">{ascii}</span>
              </div>
            );
          }}
        />
      </div>
    );
  }
}
