/** Runs everything that does not need the event loop, such as the callbacks of settled promises. */
export function drained(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
