import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Handler } from '../../src/core/handler.ts';
import { matchRoutes } from '../../src/web/predicate.ts';
import { reply } from '../../src/web/reply.ts';
import { router } from '../../src/web/router.ts';
import { makeRequest } from '../support/request.ts';

// A small alphabet, so that routes and paths often meet.
const word = fc.constantFrom('a', 'ab', 'b', 'abc', 'é');
const segment = fc.oneof({ weight: 3, arbitrary: word }, { weight: 2, arbitrary: fc.constant(':') });
const method = fc.constantFrom('GET', 'POST', 'DELETE');

interface NaiveRoute {
  readonly method: string | null;
  readonly segments: readonly string[];
}

const naiveRoute: fc.Arbitrary<NaiveRoute> = fc.record({
  method: fc.option(method, { nil: null }),
  segments: fc
    .tuple(fc.array(segment, { maxLength: 3 }), fc.constantFrom([], [''], ['*']))
    .map(([front, back]) => [...front, ...back])
    .map((segments) => (segments.length === 0 ? [''] : segments)),
});

const pathText = (segments: readonly string[]): string =>
  `/${segments.map((part, index) => (part === ':' ? `:p${index}` : part)).join('/')}`;

const shape = ({ method: wanted, segments }: NaiveRoute): string => `${wanted} ${segments.join('/')}`;

/** Segments of a request path, some of them written in an unusual way. */
const requestPath = fc
  .array(fc.oneof({ weight: 8, arbitrary: word }, fc.constantFrom('x', '', '.', '..', '%2e%2E')), { maxLength: 5 })
  .chain((segments) =>
    fc.array(fc.boolean(), { minLength: segments.length, maxLength: segments.length }).map((escaped) => ({
      segments,
      target: `/${segments.map((part, i) => (escaped[i] || part === 'é' ? escapeAll(part) : part)).join('/')}`,
    })),
  );

function escapeAll(part: string): string {
  if (part.includes('%')) return part;
  return [...Buffer.from(part)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

/** What the segments of a path come to; written for being obvious, not for speed. */
function resolve(segments: readonly string[]): string[] {
  const kept: string[] = [];
  let open = true;
  for (const part of segments) {
    const text = part === '%2e%2E' ? '..' : part;
    open = ['', '.', '..'].includes(text);
    if (text === '..') kept.pop();
    if (!open) kept.push(text);
  }
  return open ? [...kept, ''] : kept;
}

/** Parameters when the route has this path, else `null`. */
function naiveMatch(route: readonly string[], path: readonly string[]): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (const [index, wanted] of route.entries()) {
    const given = path[index];
    if (wanted === '*') {
      if (index >= path.length) return null;
      params['*'] = path.slice(index).join('/');
      return params;
    }
    if (given === undefined) return null;
    if (wanted === ':') {
      if (given === '') return null;
      params[`p${index}`] = given;
    } else if (wanted !== given) return null;
  }
  return route.length === path.length ? params : null;
}

/** Text before parameters before the rest, from the left. */
function moreSpecific(a: readonly string[], b: readonly string[]): number {
  const rank = (part: string | undefined): number => (part === '*' ? 2 : part === ':' ? 1 : 0);
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = rank(a[i]) - rank(b[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** What the naive matcher says about each route: its parameters, or that it does not have the path. */
function naive(routes: readonly NaiveRoute[], path: readonly string[]) {
  return routes.flatMap((route, index) => {
    const params = naiveMatch(route.segments, path);
    return params === null ? [] : [{ ...route, index, params }];
  });
}

const tells =
  (index: number): Handler =>
  (request) =>
    reply.json({ index, params: request.params });

function outcome(handler: Handler, wanted: string, target: string): unknown {
  const response = handler(makeRequest(wanted, target));
  assert.ok(!(response instanceof Promise));
  return response.status === 200 && typeof response.body === 'string' ? JSON.parse(response.body) : response.status;
}

test('the router answers as a list searched from end to end would, over random routes and paths', () => {
  const distinct = fc.uniqueArray(naiveRoute, { selector: shape, minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(distinct, fc.array(requestPath, { minLength: 1, maxLength: 8 }), method, (routes, paths, wanted) => {
      const compiled = router();
      for (const [index, route] of routes.entries()) {
        if (route.method === null) compiled.all(pathText(route.segments), tells(index));
        else compiled.on(route.method, pathText(route.segments), tells(index));
      }
      for (const { segments, target } of paths) {
        const having = naive(routes, resolve(segments));
        const [best] = having
          .filter((route) => route.method === null || route.method === wanted)
          .sort((a, b) => moreSpecific(a.segments, b.segments) || (a.method === null ? 1 : -1));
        const expected =
          best === undefined ? (having.length > 0 ? 405 : 404) : { index: best.index, params: best.params };
        assert.deepEqual(outcome(compiled, wanted, target), expected, `${wanted} ${target}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test('an ordered list answers with the first entry that matches, over random routes and paths', () => {
  fc.assert(
    fc.property(
      fc.array(naiveRoute, { minLength: 1, maxLength: 24 }),
      fc.array(requestPath, { minLength: 1, maxLength: 8 }),
      method,
      (routes, paths, wanted) => {
        const compiled = matchRoutes(
          routes.map((route, index) => ({
            match: { path: pathText(route.segments), methods: route.method === null ? undefined : [route.method] },
            handler: () => reply.json({ index }),
          })),
        );
        for (const { segments, target } of paths) {
          const having = naive(routes, resolve(segments));
          const first = having.find((route) => route.method === null || route.method === wanted);
          const expected = first === undefined ? (having.length > 0 ? 405 : 404) : { index: first.index };
          assert.deepEqual(outcome(compiled, wanted, target), expected, `${wanted} ${target}`);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
