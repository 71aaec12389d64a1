/** Those of `all` that a comma-separated option names, in its order; all of them without one. Throws on a name that nobody has. */
export function chosen<Named extends { readonly name: string }>(
  what: string,
  all: readonly Named[],
  names: string | undefined,
): readonly Named[] {
  if (names === undefined) return all;
  return names.split(',').map((name) => {
    const found = all.find((one) => one.name === name);
    if (found === undefined)
      throw new Error(`there is no ${what} ${name}; known: ${all.map((one) => one.name).join(', ')}`);
    return found;
  });
}
