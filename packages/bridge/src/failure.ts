/** Errors as texts and codes. */

export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** The message of an error, in one line, with its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  const cause = error.cause instanceof Error ? error.cause.message : '';
  const text = error.message || codeOf(error) || error.name;
  return oneLine(cause === '' || text.includes(cause) ? text : `${text}: ${cause}`);
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replaceAll('\0', '@');
}

/** An error for users: one line with the cause and, where possible, a remedy. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode: number = 1,
  ) {
    super(message);
  }
}
