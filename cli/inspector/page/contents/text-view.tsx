/** Contents as text, with the places that were searched for. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { parseQuery } from '../filter/content-query.js';
import { formatSize } from '../format/size.js';
import { markedPieces } from './marked-text.js';
import { textOf } from './text.js';

/** More takes the browser long to arrange. */
const FIRST_BYTES = 65_536;

interface Props {
  data: Uint8Array;
  marked: string;
}

export function TextView({ data, marked }: Props): ComponentChildren {
  const [isWhole, setWhole] = useState(data.length <= FIRST_BYTES);
  const text = textOf(isWhole ? data : data.subarray(0, FIRST_BYTES));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with keys
    <div class="text" role="group" aria-label="Contents as text" tabIndex={0}>
      <pre>
        {markedPieces(text, plain(marked)).map((piece, index) =>
          index % 2 === 1 ? <mark key={index}>{piece}</mark> : piece,
        )}
      </pre>
      {!isWhole && (
        <button type="button" class="link" onClick={() => setWhole(true)}>
          Show all {formatSize(data.length)}
        </button>
      )}
    </div>
  );
}

/** Regular expressions are not marked: they could take forever. */
function plain(query: string): string {
  try {
    const parsed = parseQuery(query);
    return parsed?.kind === 'text' ? parsed.text : '';
  } catch {
    return '';
  }
}
