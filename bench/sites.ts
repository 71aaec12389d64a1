/**
 * What a server under test answers.
 * `hello`: 13 bytes. `large`: 64 KiB at /large.txt. `routes`: JSON from a hundred routes. `echo`: the body of a POST.
 * `proxy`: what the origin server answers, which is `hello` and `large`.
 */
export type Site = 'hello' | 'large' | 'routes' | 'echo' | 'proxy';

export const HELLO = 'Hello, World!';
export const LARGE = 'x'.repeat(65_536);
export const LARGE_PATH = '/large.txt';

/** Fifty collections, each with a list and an item: a hundred routes. load.lua asks for the same. */
export const COLLECTIONS: readonly string[] = Array.from({ length: 50 }, (_, index) => `things${index}`);

/** What `/things7/42` answers, as JSON; `/things7` has no id. */
export function thing(collection: string, id: string | null): object {
  return { collection, id, tags: ['a', 'b'], ready: true };
}
