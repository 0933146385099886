/** Saves a file, as a link that is clicked. */

/** The browser has read the file by then. */
const KEEP_MS = 60_000;

export function download(contents: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(contents);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEEP_MS);
}
