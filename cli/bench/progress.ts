/** A progress indicator on the terminal. */

let isShown = false;

/** Replaces the line on standard error, if that is a terminal. `''` removes it. */
export function showProgress(text: string): void {
  if (!process.stderr.isTTY || (text === '' && !isShown)) return;
  isShown = text !== '';
  process.stderr.write(`\r\x1b[K${text}`);
}
