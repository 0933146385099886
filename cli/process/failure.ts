/** Errors for users: one line with the cause and, where possible, a remedy. */
import { EXIT } from './exit-codes.js';

export class Failure extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.failure,
  ) {
    super(message);
  }
}

export function cannotOpen(file: string, error: unknown): Failure {
  return new Failure(`cannot open ${file}: ${reasonOf(error)}`);
}

export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** The message of an error, in one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ').replaceAll('\0', '@');
}
