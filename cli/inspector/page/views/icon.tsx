/** Pictures of buttons, 16 × 16. */
import type { ComponentChildren } from 'preact';

const PATHS = {
  pause: 'M5 3.5v9M11 3.5v9',
  resume: 'M5 3v10l8-5z',
  clear: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M4.2 4.2l7.6 7.6',
  open: 'M2 12.5v-9h4l1.5 2H14v7z',
  save: 'M8 2.5v7M4.8 6.8L8 10l3.2-3.2M3 13h10',
  charts: 'M2.5 13.5h11M4.5 11V7M8 11V3M11.5 11V5.5',
  keys: 'M1.5 4.5h13v7h-13zM4 7h.5M7 7h.5M10 7h.5M4.5 9.5h7',
  close: 'M4 4l8 8M12 4l-8 8',
  up: 'M8 13V3M4 7l4-4 4 4',
  down: 'M8 3v10M4 9l4 4 4-4',
  send: 'M2.5 8h10M9 4.5L12.5 8 9 11.5',
  edit: 'M3 13l.7-3L11 2.7l2.3 2.3L6 12.3z',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M10.3 10.3L14 14',
  clip: 'M11.5 5.5L6.6 10.4a1.2 1.2 0 0 1-1.7-1.7L10 3.5a2.4 2.4 0 0 1 3.4 3.4L8 12.3a3.6 3.6 0 0 1-5-5L7.5 2.7',
  again: 'M13 8a5 5 0 1 1-1.5-3.5M13 2.5v3h-3',
  back: 'M13 8H3M7 4L3 8l4 4',
  list: 'M3 4h10M3 8h10M3 12h10',
  ends: 'M2.5 8h11M5 5.5L2.5 8 5 10.5M11 5.5L13.5 8 11 10.5',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): ComponentChildren {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
