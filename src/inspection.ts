/** The output of `console.log` for the objects of the library (util.inspect.custom in node:util). */
import { type InspectOptions, inspect } from 'node:util';

/**
 * Formats the properties of an object. A property whose getter throws is left out, because inspection must not throw.
 */
export function inspectProperties(
  object: object,
  properties: Readonly<Record<string, () => unknown>>,
  depth: number,
  options: InspectOptions,
): string {
  const { name } = object.constructor;
  if (depth < 0) return `[${name}]`;
  const shown: Record<string, unknown> = {};
  for (const [key, get] of Object.entries(properties)) {
    try {
      const value = get();
      if (value !== undefined) shown[key] = value;
    } catch {
      // For example, the peer is gone, or the descriptor number was closed elsewhere.
    }
  }
  return `${name} ${inspect(shown, options)}`;
}
