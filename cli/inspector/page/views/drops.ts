/** Recordings that are dropped on the page. */
import type { Inspector } from '../session/inspector.js';

export function handleDrops(inspector: Inspector): void {
  const setDropping = (isDropping: boolean) => {
    if (inspector.isDropping === isDropping) return;
    inspector.isDropping = isDropping;
    inspector.changed();
  };
  addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files') !== true) return;
    event.preventDefault();
    setDropping(true);
  });
  addEventListener('dragleave', (event) => {
    // The pointer has left the page, not only an element of it.
    if (event.relatedTarget === null) setDropping(false);
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    setDropping(false);
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) void inspector.open(file);
  });
}
