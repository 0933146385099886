/** What `console.log` shows of an object (util.inspect.custom in node:util). */
import { type InspectOptions, inspect } from 'node:util';

/** Shows the properties of an object that can be had: what fails is left out, since showing must not throw. */
export function inspected(
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
      // There is no peer any more, the number was closed elsewhere, or the like.
    }
  }
  return `${name} ${inspect(shown, options)}`;
}
