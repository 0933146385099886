/** Contents in hexadecimal beside ASCII, with offsets. */
import type { ComponentChildren } from 'preact';
import { VirtualList } from '../list/virtual-list.js';
import { hexLine } from './hex.js';

const ROW_HEIGHT = 18;

interface Props {
  data: Uint8Array;
  /** Bytes of a line. */
  width: number;
}

export function HexView({ data, width }: Props): ComponentChildren {
  return (
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
  );
}
