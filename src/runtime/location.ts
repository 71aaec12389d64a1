import type { HttpRequest } from '../core/request.ts';

type Placeholder = (request: HttpRequest) => string;

const PLACEHOLDERS: ReadonlyMap<string, Placeholder> = new Map([
  ['uri', (request) => localForm(request.target)],
  ['path', (request) => localForm(request.path)],
  ['host', (request) => request.authority],
]);

/** Where a redirect leads: the same for every request, or made from each. */
export type Location =
  | { readonly kind: 'fixed'; readonly location: string }
  | { readonly kind: 'made'; readonly locate: (request: HttpRequest) => string };

/** Reads a location with `{uri}`, `{path}` and `{host}`. `null` when other braces are in it. */
export function readLocation(text: string): Location | null {
  const parts: (string | Placeholder)[] = [];
  for (const [index, part] of text.split(/\{([^{}]*)\}/).entries()) {
    const placeholder = PLACEHOLDERS.get(part);
    if (index % 2 === 0) {
      if (/[{}]/.test(part)) return null;
      parts.push(part);
    } else if (placeholder === undefined) {
      return null;
    } else {
      parts.push(placeholder);
    }
  }
  if (parts.length === 1) return { kind: 'fixed', location: text };
  const locate = (request: HttpRequest): string => {
    let location = '';
    for (const part of parts) location += typeof part === 'string' ? part : part(request);
    return location;
  };
  return { kind: 'made', locate };
}

/**
 * A target that stays on the host it is put behind. `//elsewhere` (browsers read `/\` the same way) names another
 * host when it comes first, and `*` or `host:port` would run into the host's name.
 */
function localForm(target: string): string {
  return target.startsWith('/') ? target.replace(/^[/\\]{2,}/, '/') : '/';
}
