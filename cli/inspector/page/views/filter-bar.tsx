/** The filter and the search. */
import type { ComponentChildren } from 'preact';
import type { Direction } from '../../frames.js';
import { formatCount } from '../format/size.js';
import type { Inspector } from '../session/inspector.js';
import type { FilterInput } from '../session/view.js';
import { Button } from './button.js';

const DIRECTIONS: [direction: Direction | undefined, text: string, name: string][] = [
  [undefined, 'All', 'All directions'],
  ['to server', '↑', 'To the server'],
  ['to client', '↓', 'To the client'],
];

export function FilterBar({ inspector }: { inspector: Inspector }): ComponentChildren {
  const { shown } = inspector;
  const { input, filtered, filterError } = shown;
  const change = (to: Partial<FilterInput>) => {
    shown.setFilter(to);
    inspector.changed();
  };
  const error = filterError || filtered.error?.message || '';
  return (
    <search class="filter-bar" aria-label="Filter and search">
      <input
        id="filter"
        type="search"
        class={error === '' ? '' : 'invalid'}
        placeholder="Filter: text or /regex/"
        aria-label="Filter: text or /regular expression/ in the contents"
        aria-invalid={error !== ''}
        aria-describedby="filter-state"
        spellcheck={false}
        autocomplete="off"
        value={input.text}
        onInput={(event) => change({ text: event.currentTarget.value })}
      />
      <fieldset class="segments">
        <legend class="hidden">Direction</legend>
        {DIRECTIONS.map(([direction, text, name]) => (
          <button
            key={text}
            type="button"
            aria-pressed={input.direction === direction}
            aria-label={name}
            title={name}
            onClick={() => change({ direction })}
          >
            {text}
          </button>
        ))}
      </fieldset>
      <span class="sizes">
        <input
          class="size"
          placeholder="min"
          aria-label="Smallest size"
          title="Smallest size: 100, 4k, 1.5M"
          autocomplete="off"
          value={input.minSize}
          onInput={(event) => change({ minSize: event.currentTarget.value })}
        />
        –
        <input
          class="size"
          placeholder="max"
          aria-label="Largest size"
          title="Largest size: 100, 4k, 1.5M"
          autocomplete="off"
          value={input.maxSize}
          onInput={(event) => change({ maxSize: event.currentTarget.value })}
        />
      </span>
      <Button
        icon="clip"
        text="Descriptors"
        class="descriptors-only"
        isPressed={input.descriptorsOnly}
        onPress={() => change({ descriptorsOnly: !input.descriptorsOnly })}
      />
      <SearchBox inspector={inspector} />
      <span id="filter-state" class={`filter-state ${error === '' ? 'muted' : 'error'}`} role="status">
        {error !== '' ? error : shown.hasFilter ? <FilterCount inspector={inspector} /> : null}
      </span>
    </search>
  );
}

function FilterCount({ inspector }: { inspector: Inspector }): ComponentChildren {
  const { shown } = inspector;
  const { filtered, session, isFiltering } = shown;
  return (
    <>
      {formatCount(filtered.rows.length)} of {formatCount(session.store.length)}
      {isFiltering && session.store.length > 0 ? ` (${Math.floor(100 * filtered.progress)} %)` : ''}{' '}
      <button
        type="button"
        class="link"
        onClick={() => {
          shown.removeFilter();
          inspector.changed();
        }}
      >
        Remove filter
      </button>
    </>
  );
}

function SearchBox({ inspector }: { inspector: Inspector }): ComponentChildren {
  const { shown } = inspector;
  const move = (step: 1 | -1) => {
    shown.moveToFound(step);
    inspector.changed();
  };
  return (
    <span class="search-box">
      <input
        id="search"
        type="search"
        class={shown.searchError === '' ? '' : 'invalid'}
        placeholder="Search"
        aria-label="Search: text or /regular expression/"
        aria-invalid={shown.searchError !== ''}
        title={shown.searchError}
        spellcheck={false}
        autocomplete="off"
        value={shown.search}
        onInput={(event) => {
          shown.setSearch(event.currentTarget.value);
          inspector.changed();
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          move(event.shiftKey ? -1 : 1);
        }}
      />
      <span class="search-count muted" role="status">
        {searchCount(inspector)}
      </span>
      <Button
        icon="up"
        text="Previous match"
        shortcut="N"
        isIconOnly
        isDisabled={!hasFound(inspector)}
        onPress={() => move(-1)}
      />
      <Button
        icon="down"
        text="Next match"
        shortcut="n"
        isIconOnly
        isDisabled={!hasFound(inspector)}
        onPress={() => move(1)}
      />
    </span>
  );
}

function hasFound({ shown }: Inspector): boolean {
  return (shown.found?.rows.length ?? 0) > 0;
}

function searchCount({ shown }: Inspector): string {
  const { found, selected } = shown;
  if (found === undefined) return '';
  if (found.error !== undefined) return 'too slow';
  const index = selected === undefined ? -1 : found.rows.indexOf(selected);
  const total = `${formatCount(found.rows.length)}${shown.isSearching ? '…' : ''}`;
  return index < 0 ? total : `${formatCount(index + 1)}/${total}`;
}
