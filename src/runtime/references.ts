import { didYouMean } from '../core/spelling.ts';
import type { Path, Problem } from './problem.ts';

/** A problem before it has a place. */
export type Finding = Omit<Problem, 'place'>;

/** A member of a list, as it was written. */
interface Item {
  readonly path: Path;
  readonly value: unknown;
}

/** A value in a list of blocks, where it is. */
interface Entry {
  readonly path: Path;
  readonly value: string;
}

/**
 * What holds between entries: names are unique, and what is named exists. Reads the data as it was written, so that it
 * finds its faults in the same run as those of the schema.
 */
export function checkReferences(data: unknown): Finding[] {
  const upstreams = entries(data, 'upstreams', 'name');
  const binds = entries(data, 'listeners', 'bind');
  const named = entries(data, 'listeners', 'name');
  // A listener without a name is called what it binds.
  const listeners = [...named, ...binds.filter(({ path }) => !named.some((other) => other.path[1] === path[1]))];
  const usedUpstreams = entries(data, 'routes', 'proxy', 'upstream');
  const usedListeners = entries(data, 'routes', 'match', 'listener');
  const lost = unresolved(usedUpstreams, upstreams, 'upstream');
  return [
    ...repeated(upstreams, 'an upstream with this name is here already'),
    ...repeated(
      listeners.filter(({ path, value }) => path[2] === 'name' || value.endsWith(':0')),
      'a listener with this name is here already',
    ),
    ...repeated(
      [...binds, ...single(data, 'admin', 'bind')].filter(({ value }) => !value.endsWith(':0')),
      'another listener is bound to this address already',
    ),
    ...lost,
    ...unresolved(usedListeners, listeners, 'listener'),
    ...routeFindings(data),
    ...(lost.length > 0 ? [] : unused(usedUpstreams, upstreams)),
  ];
}

/** What a route can do with a request. */
export const ROUTE_ACTIONS = ['respond', 'redirect', 'proxy'] as const;

function routeFindings(data: unknown): Finding[] {
  return list(data, 'routes').flatMap(({ path, value }) => {
    if (typeof value !== 'object' || value === null) return [];
    const [first, ...more] = ROUTE_ACTIONS.filter((action) => action in value);
    if (first === undefined) return [fault(path, `expected one of ${ROUTE_ACTIONS.join(', ')}`)];
    const twofold = more.map((action) =>
      fault([...path, action], `a route does one thing, and this one has ${first} already`),
    );
    return [...twofold, ...bodiless(path, Reflect.get(value, 'respond'))];
  });
}

/** Statuses whose answers never have a body (RFC 9110 §6.4.1). */
const BODILESS: readonly unknown[] = [204, 205, 304];

function bodiless(path: Path, respond: unknown): Finding[] {
  if (typeof respond !== 'object' || respond === null) return [];
  const status: unknown = Reflect.get(respond, 'status');
  if (!BODILESS.includes(status) || !('body' in respond)) return [];
  return [fault([...path, 'respond', 'body'], `an answer with status ${String(status)} has no body`)];
}

function repeated(all: readonly Entry[], message: string): Finding[] {
  const seen = new Set<string>();
  return all.flatMap(({ path, value }) => {
    if (seen.has(value)) return [fault(path, message)];
    seen.add(value);
    return [];
  });
}

function unresolved(uses: readonly Entry[], known: readonly Entry[], what: string): Finding[] {
  const names = known.map(({ value }) => value);
  return uses
    .filter(({ value }) => !names.includes(value))
    .map(({ path, value }) => {
      const near = didYouMean(value, names);
      const hint =
        near !== null ? `, did you mean ${near}?` : names.length > 0 ? `; known are ${names.join(', ')}` : '';
      return fault(path, `there is no ${what} named ${JSON.stringify(value)}${hint}`);
    });
}

function unused(uses: readonly Entry[], known: readonly Entry[]): Finding[] {
  const names = new Set(uses.map(({ value }) => value));
  return known
    .filter(({ value }) => !names.has(value))
    .map(({ path, value }) => ({ severity: 'warning', message: `no route uses the upstream ${value}`, path }));
}

/** The texts at `keys` of every block in a top-level list. */
const entries = (data: unknown, name: string, ...keys: readonly string[]): Entry[] =>
  list(data, name).flatMap(({ path, value }) => textAt(value, path, keys));

/** The text at `keys` of everything. */
const single = (data: unknown, ...keys: readonly string[]): Entry[] => textAt(data, [], keys);

function textAt(value: unknown, path: Path, keys: readonly string[]): Entry[] {
  let at = value;
  for (const key of keys) at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  return typeof at === 'string' ? [{ path: [...path, ...keys], value: at }] : [];
}

function list(data: unknown, name: string): Item[] {
  const value: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, name) : undefined;
  return Array.isArray(value) ? value.map((item: unknown, index) => ({ path: [name, index], value: item })) : [];
}

function fault(path: Path, message: string): Finding {
  return { severity: 'error', message, path };
}
