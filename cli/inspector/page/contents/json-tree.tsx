/** JSON as a tree that can be folded. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { countOf } from '../format/size.js';
import { entriesOf, type Json, summaryOf } from './json.js';

/** How many levels are unfolded at first, if they have few parts. */
const OPEN_LEVELS = 3;
const MAX_OPEN_PARTS = 30;
/** How many parts are shown at once. */
const PARTS = 200;

export function JsonTree({ value }: { value: Json }): ComponentChildren {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with keys
    <div class="json" role="group" aria-label="Contents as JSON" tabIndex={0}>
      <JsonValue value={value} level={0} />
    </div>
  );
}

interface Props {
  name?: string;
  value: Json;
  level: number;
}

function JsonValue({ name, value, level }: Props): ComponentChildren {
  const entries = entriesOf(value);
  if (entries === undefined || entries.length === 0)
    return (
      <div class="json-leaf">
        <Name name={name} />
        <Scalar value={value} />
      </div>
    );
  return <JsonFold name={name} value={value} level={level} entries={entries} />;
}

interface FoldProps {
  name: string | undefined;
  value: Json;
  level: number;
  entries: [string, Json][];
}

function JsonFold({ name, value, level, entries }: FoldProps): ComponentChildren {
  const [isOpen, setOpen] = useState(
    level === 0 || (level < OPEN_LEVELS && entries.length <= MAX_OPEN_PARTS),
  );
  const [shown, setShown] = useState(PARTS);
  const isArray = Array.isArray(value);
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Name name={name} />
        <span class="json-summary">
          {isOpen ? (isArray ? '[' : '{') : summaryOf(value)}{' '}
          <span class="muted">{countOf(entries.length, isArray ? 'item' : 'key')}</span>
        </span>
      </summary>
      {isOpen && (
        <div class="json-parts">
          {entries.slice(0, shown).map(([key, part]) => (
            <JsonValue key={key} name={key} value={part} level={level + 1} />
          ))}
          {entries.length > shown && (
            <button type="button" class="link" onClick={() => setShown(shown + PARTS)}>
              {countOf(entries.length - shown, 'more part')}
            </button>
          )}
        </div>
      )}
    </details>
  );
}

function Name({ name }: { name: string | undefined }): ComponentChildren {
  return name === undefined ? null : (
    <>
      <span class="json-name">{name}</span>
      {': '}
    </>
  );
}

function Scalar({ value }: { value: Json }): ComponentChildren {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'object' : typeof value;
  return <span class={`json-${kind}`}>{JSON.stringify(value)}</span>;
}
