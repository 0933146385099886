/** The keys, and what they do. */
import type { ContentsTab, Inspector } from '../session/inspector.js';
import { chooseFile } from './choose-file.js';

interface Key {
  /** As in KeyboardEvent.key. */
  keys: string[];
  /** As the list of keys names them. */
  shown: string;
  purpose: string;
  /** The key among `keys` that was pressed. */
  action: (inspector: Inspector, key: string) => void;
}

const TABS: Record<string, ContentsTab> = { '1': 'text', '2': 'json', '3': 'hex' };

export const KEYS: readonly Key[] = [
  {
    keys: ['ArrowDown', 'ArrowUp', 'j', 'k'],
    shown: '↓ ↑',
    purpose: 'next, previous message',
    action: (inspector, key) => {
      inspector.shown.move(key === 'ArrowDown' || key === 'j' ? 1 : -1);
      inspector.isDetailOpen ||= !isNarrow();
    },
  },
  {
    keys: ['Home', 'End'],
    shown: 'Home End',
    purpose: 'first message; last message, and follow the newest',
    action: (inspector, key) => {
      if (key === 'Home') inspector.shown.moveToFirst();
      else inspector.shown.moveToLast();
      inspector.isDetailOpen ||= !isNarrow();
    },
  },
  {
    keys: ['Enter'],
    shown: 'Enter',
    purpose: 'open the message',
    action: (inspector) => {
      inspector.isDetailOpen = inspector.shown.selected !== undefined;
    },
  },
  {
    keys: ['Escape'],
    shown: 'Esc',
    purpose: 'close the message; in the filter: remove its text',
    action: (inspector) => inspector.closeDetail(),
  },
  { keys: ['/'], shown: '/', purpose: 'filter', action: () => focusOn('filter') },
  { keys: ['f'], shown: 'f', purpose: 'search', action: () => focusOn('search') },
  {
    keys: ['n', 'N'],
    shown: 'n N',
    purpose: 'next, previous match of the search',
    action: (inspector, key) => {
      inspector.shown.moveToFound(key === 'n' ? 1 : -1);
    },
  },
  { keys: [' '], shown: 'Space', purpose: 'pause, resume', action: ({ shown }) => shown.pause() },
  {
    keys: ['a'],
    shown: 'a',
    purpose: 'from the request to the answer, and back',
    action: ({ shown }) => shown.moveToPartner(),
  },
  {
    keys: ['1', '2', '3'],
    shown: '1 2 3',
    purpose: 'text, JSON, hexadecimal',
    action: (inspector, key) => {
      inspector.tab = TABS[key];
    },
  },
  {
    keys: ['r'],
    shown: 'r',
    purpose: 'send the message again',
    action: (inspector) => {
      if (inspector.shown.selected !== undefined) void inspector.sendAgain(inspector.shown.selected);
    },
  },
  {
    keys: ['e'],
    shown: 'e',
    purpose: 'edit the message and send it',
    action: (inspector) => {
      if (inspector.shown.selected !== undefined) inspector.edit(inspector.shown.selected);
    },
  },
  {
    keys: ['c'],
    shown: 'c',
    purpose: 'charts',
    action: (inspector) => {
      inspector.hasCharts = !inspector.hasCharts;
    },
  },
  { keys: ['o'], shown: 'o', purpose: 'open a recording', action: (inspector) => chooseFile(inspector) },
  {
    keys: ['x'],
    shown: 'x',
    purpose: 'export what passes the filter',
    action: (inspector) => void inspector.export(),
  },
  {
    keys: ['?'],
    shown: '?',
    purpose: 'this list',
    action: (inspector) => {
      inspector.hasKeys = true;
    },
  },
];

/** Handles a key that no element has handled. */
export function handleKey(inspector: Inspector, event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (inspector.hasKeys || inspector.draft !== undefined) return;
  const target = event.target as Element;
  if (target.matches('input, textarea, select')) {
    handleInputKey(inspector, event, target as HTMLInputElement);
    return;
  }
  // These keys are for the element that has the focus.
  if ((event.key === ' ' || event.key === 'Enter') && target.matches('button, a, summary, [role=tab]'))
    return;
  if (isForScrolling(event.key) && target.matches('.json, .json *, .text, .text *, .hex, .descriptors'))
    return;
  const key = KEYS.find(({ keys }) => keys.includes(event.key));
  if (key === undefined) return;
  event.preventDefault();
  key.action(inspector, event.key);
  inspector.changed();
}

function isForScrolling(key: string): boolean {
  return ['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(key);
}

/** Esc empties a field, and then leaves it; an arrow leaves it for the list. */
function handleInputKey(inspector: Inspector, event: KeyboardEvent, input: HTMLInputElement): void {
  if (event.key === 'Escape') {
    event.preventDefault();
    if (input.value === '') {
      document.getElementById('messages')?.focus();
      return;
    }
    input.value = '';
    input.dispatchEvent(new InputEvent('input', { bubbles: true }));
  } else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && input.matches('[type=search]')) {
    event.preventDefault();
    document.getElementById('messages')?.focus();
    inspector.shown.move(event.key === 'ArrowDown' ? 1 : -1);
    inspector.changed();
  }
}

function focusOn(id: string): void {
  const input = document.getElementById(id);
  if (!(input instanceof HTMLInputElement)) return;
  input.focus();
  input.select();
}

function isNarrow(): boolean {
  return matchMedia('(max-width: 700px)').matches;
}
