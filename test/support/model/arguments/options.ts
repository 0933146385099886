/** The options as programs pass them: none if each has its default. Calls without options take another way. */
export function given<Options extends object>(options: Options): Options | undefined {
  const isGiven = (value: unknown) => value !== undefined && value !== 0;
  return Object.values(options).some(isGiven) ? options : undefined;
}
