/** Opens a recording that is chosen in the browser's dialog. */
import type { Inspector } from '../session/inspector.js';

export function chooseFile(inspector: Inspector): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.accept = '.pcapng';
  input.onchange = () => {
    const file = input.files?.[0];
    if (file !== undefined) void inspector.open(file);
  };
  input.click();
}
