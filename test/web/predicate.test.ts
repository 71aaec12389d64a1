import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import type { Handler } from '../../src/core/handler.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import type { RouteMatch } from '../../src/web/predicate.ts';
import { matchRoutes } from '../../src/web/predicate.ts';
import { reply } from '../../src/web/reply.ts';
import type { RequestParts } from '../support/request.ts';
import { makeRequest } from '../support/request.ts';

const route = (name: string, match?: RouteMatch) => ({ match, handler: () => reply.text(name) });

function ask(handler: Handler, method: string, target: string, parts?: RequestParts): HttpResponse {
  const response = handler(makeRequest(method, target, parts));
  assert.ok(!(response instanceof Promise), 'the answer is a promise');
  return response;
}

function taken(handler: Handler, target: string, method = 'GET', parts?: RequestParts): unknown {
  const { status, body } = ask(handler, method, target, parts);
  return status === 200 ? body : status;
}

test('the first entry that matches answers, also when a later one is more specific', () => {
  const routes = matchRoutes([
    route('hello', { path: '/hello' }),
    route('api', { path: '/api/*' }),
    route('never', { path: '/api/v1' }),
    route('user', { path: '/users/:id' }),
    route('rest', { path: '/*' }),
    route('never', { path: '/late' }),
  ]);
  assert.equal(taken(routes, '/hello'), 'hello');
  assert.equal(taken(routes, '/hello?x'), 'hello');
  assert.equal(taken(routes, '/api/v1'), 'api');
  assert.equal(taken(routes, '/api/'), 'api');
  assert.equal(taken(routes, '/api'), 'rest');
  assert.equal(taken(routes, '/users/1'), 'user');
  assert.equal(taken(routes, '/users/1/x'), 'rest');
  assert.equal(taken(routes, '/late'), 'rest');
});

test('an entry without a match, or with an empty one, takes everything', () => {
  assert.equal(taken(matchRoutes([route('all')]), '/x/y'), 'all');
  assert.equal(taken(matchRoutes([route('all', {})]), '/'), 'all');
});

test('the path is normalised before it is compared', () => {
  const routes = matchRoutes([route('secret', { path: '/admin/*' }), route('rest')]);
  for (const target of ['/x/../admin/a', '/%61dmin/a', '//admin//a', '/admin/%2e/a'])
    assert.equal(taken(routes, target), 'secret', target);
  assert.throws(() => ask(routes, 'GET', '/%00'), Failure);
  const exact = matchRoutes([route('secret', { path: '/admin' }), route('rest')]);
  assert.equal(taken(exact, '/x/../%61dmin'), 'secret');
});

test('hosts narrow, exact and wildcard, and the order of the list still decides', () => {
  const routes = matchRoutes([
    route('first', { host: '*.example.com', path: '/first' }),
    route('a', { host: 'a.example.com' }),
    route('deep', { host: '*.b.example.com' }),
    route('below', { host: '*.example.com' }),
    route('any', { path: '/any' }),
  ]);
  const at = (authority: string, target = '/'): unknown => taken(routes, target, 'GET', { authority });
  assert.equal(at('a.example.com'), 'a');
  assert.equal(at('A.EXAMPLE.com:80'), 'a');
  assert.equal(at('a.example.com', '/first'), 'first');
  assert.equal(at('x.b.example.com', '/first'), 'first');
  assert.equal(at('x.b.example.com'), 'deep');
  assert.equal(at('b.example.com'), 'below');
  assert.equal(at('example.com'), 404);
  assert.equal(at('example.com', '/any'), 'any');
});

test('methods narrow: GET includes HEAD, and only the method being wrong is 405 with allow', () => {
  const routes = matchRoutes([
    route('read', { path: '/x', methods: ['GET'] }),
    route('write', { path: '/x', methods: ['POST', 'PUT'] }),
    route('list', { path: '/y/*', methods: ['GET'] }),
  ]);
  assert.equal(taken(routes, '/x', 'HEAD'), 'read');
  assert.equal(taken(routes, '/x', 'PUT'), 'write');
  const refused = ask(routes, 'DELETE', '/x');
  assert.equal(refused.status, 405);
  assert.equal(HeaderFields.from(refused.headers).get('allow'), 'GET, HEAD, POST, PUT');
  assert.equal(ask(routes, 'POST', '/y/1').status, 405);
  assert.equal(ask(routes, 'OPTIONS', '/y/1').status, 405);
  assert.equal(ask(routes, 'GET', '/z').status, 404);
});

test('OPTIONS * is answered with every method, and CONNECT is 501 unless an entry for any path names it', () => {
  const routes = matchRoutes([
    route('x', { path: '/x', methods: ['GET'] }),
    route('y', { path: '/y', methods: ['PUT'] }),
  ]);
  const response = ask(routes, 'OPTIONS', '*');
  assert.equal(response.status, 204);
  assert.equal(HeaderFields.from(response.headers).get('allow'), 'GET, HEAD, PUT, OPTIONS');
  const unsupported = (error: unknown): boolean => error instanceof Failure && error.code === 'method-unsupported';
  assert.throws(() => ask(routes, 'CONNECT', 'a:1'), unsupported);
  assert.throws(() => ask(matchRoutes([route('all')]), 'CONNECT', 'a:1'), unsupported);
  assert.equal(taken(matchRoutes([route('tunnel', { methods: ['CONNECT'] })]), 'a:1', 'CONNECT'), 'tunnel');
});

test('a listener has its own entries and those for all, in their order', () => {
  const entries = [route('admin', { listener: 'admin' }), route('web', { listener: 'web', path: '/w' }), route('all')];
  assert.equal(taken(matchRoutes(entries, { listener: 'admin' }), '/w'), 'admin');
  assert.equal(taken(matchRoutes(entries, { listener: 'web' }), '/w'), 'web');
  assert.equal(taken(matchRoutes(entries, { listener: 'other' }), '/w'), 'all');
  assert.throws(() => matchRoutes(entries), /listener admin/);
});

test('a long list is still searched in its order', () => {
  const entries = Array.from({ length: 40 }, (_, index) => route(`p${index}`, { path: `/p${index}/*` }));
  const routes = matchRoutes([
    ...entries.slice(0, 20),
    route('one segment', { path: '/:any' }),
    route('p25 late', { path: '/:any/late' }),
    ...entries.slice(20),
    route('rest'),
  ]);
  assert.equal(taken(routes, '/p3/x'), 'p3');
  assert.equal(taken(routes, '/p3/late'), 'p3');
  assert.equal(taken(routes, '/p25/late'), 'p25 late');
  assert.equal(taken(routes, '/p25/x'), 'p25');
  assert.equal(taken(routes, '/p25'), 'one segment');
  assert.equal(taken(routes, '/none/x'), 'rest');
});
