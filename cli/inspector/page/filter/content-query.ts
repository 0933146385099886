/** What is looked for in contents: text, or a regular expression between slashes. */

export type ContentQuery =
  | { kind: 'text'; text: string }
  | { kind: 'expression'; source: string; flags: string };

export class QueryError extends Error {}

const EXPRESSION = /^\/(.+)\/([a-z]*)$/s;

/**
 * Returns undefined for an empty text, which everything contains.
 *
 * @throws {QueryError} if the regular expression is invalid
 */
export function parseQuery(text: string): ContentQuery | undefined {
  if (text === '') return undefined;
  const [, source, flags] = EXPRESSION.exec(text) ?? [];
  if (source === undefined || flags === undefined) return { kind: 'text', text };
  try {
    new RegExp(source, flags);
  } catch (error) {
    throw new QueryError(error instanceof Error ? error.message : String(error));
  }
  return { kind: 'expression', source, flags };
}

export function isSameQuery(one: ContentQuery | undefined, other: ContentQuery | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
