import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import type { Handler, Layer } from '../../src/core/handler.ts';
import { withBodyMode } from '../../src/core/handler.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { reply } from '../../src/web/reply.ts';
import { router } from '../../src/web/router.ts';
import type { RequestParts } from '../support/request.ts';
import { arrivingBody, makeRequest } from '../support/request.ts';

const says =
  (name: string): Handler =>
  (request) =>
    reply.json({ name, params: request.params });

/** Sends a request; fails when the answer is not there at once. */
function ask(handler: Handler, method: string, target: string, parts?: RequestParts): HttpResponse {
  const response = handler(makeRequest(method, target, parts));
  assert.ok(!(response instanceof Promise), 'the answer is a promise');
  return response;
}

const header = (response: HttpResponse, name: string): string | null => HeaderFields.from(response.headers).get(name);

/** Name and parameters of the route that answered. */
function taken(handler: Handler, target: string, method = 'GET', parts?: RequestParts): unknown {
  const { status, body } = ask(handler, method, target, parts);
  return status === 200 && typeof body === 'string' ? Object.values(JSON.parse(body)) : status;
}

const failsWith = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

test('text beats a parameter beats the rest, whatever order the routes came in', () => {
  const routes = router()
    .get('/*', says('everything'))
    .get('/users/*', says('below users'))
    .get('/users/:id', says('user'))
    .get('/users/me', says('me'))
    .get('/users/:id/posts/:post', says('post'));
  assert.deepEqual(taken(routes, '/users/me'), ['me', {}]);
  assert.deepEqual(taken(routes, '/users/mexico'), ['user', { id: 'mexico' }]);
  assert.deepEqual(taken(routes, '/users/7/posts/9'), ['post', { id: '7', post: '9' }]);
  assert.deepEqual(taken(routes, '/users/7/likes'), ['below users', { '*': '7/likes' }]);
  assert.deepEqual(taken(routes, '/other'), ['everything', { '*': 'other' }]);
  assert.deepEqual(taken(routes, '/'), ['everything', { '*': '' }]);
});

test('a wrong turn is taken back, and no parameter of it stays behind', () => {
  const routes = router().get('/a/:x/end', says('one')).get('/:first/b/other', says('two'));
  assert.deepEqual(taken(routes, '/a/b/other'), ['two', { first: 'a' }]);
});

test('a route for another method does not hide a less specific one', () => {
  const routes = router().post('/users/me', says('post me')).get('/users/:id', says('user'));
  assert.deepEqual(taken(routes, '/users/me'), ['user', { id: 'me' }]);
  assert.deepEqual(taken(routes, '/users/me', 'POST'), ['post me', {}]);
});

test('the rest needs its slash: /files/* has /files/ and below, not /files', () => {
  const routes = router().get('/files/*', says('file'));
  assert.deepEqual(taken(routes, '/files/'), ['file', { '*': '' }]);
  assert.deepEqual(taken(routes, '/files/a/b.txt'), ['file', { '*': 'a/b.txt' }]);
  assert.equal(taken(routes, '/files'), 404);
});

test('a parameter is one segment and never empty, and a trailing slash counts', () => {
  const routes = router().get('/users/:id', says('user'));
  assert.equal(taken(routes, '/users/'), 404);
  assert.equal(taken(routes, '/users/7/'), 404);
  assert.equal(taken(routes, '/users/7/x'), 404);
});

test('the query takes no part', () => {
  const routes = router().get('/a', says('a')).get('/b/:id', says('b'));
  assert.deepEqual(taken(routes, '/a?x=/b'), ['a', {}]);
  assert.deepEqual(taken(routes, '/b/1?y=2'), ['b', { id: '1' }]);
});

test('parameters are decoded once, and an encoded slash stays inside its segment', () => {
  const routes = router().get('/users/:id', says('user')).get('/a/b', says('path'));
  assert.deepEqual(taken(routes, '/users/a%2Fb'), ['user', { id: 'a/b' }]);
  assert.deepEqual(taken(routes, '/users/a%2fb%252f'), ['user', { id: 'a/b%2f' }]);
  assert.deepEqual(taken(routes, '/users/caf%C3%A9%20au%20lait'), ['user', { id: 'café au lait' }]);
  assert.equal(taken(routes, '/a%2Fb'), 404);
});

test('escapes do not matter where a pattern has text', () => {
  const routes = router().get('/café/a%20b', says('text')).get('/100%25', says('percent'));
  assert.deepEqual(taken(routes, '/caf%C3%A9/a%20b'), ['text', {}]);
  assert.deepEqual(taken(routes, '/%63af%c3%a9/a%20%62'), ['text', {}]);
  assert.deepEqual(taken(routes, '/100%25'), ['percent', {}]);
});

test('dot segments are resolved first, escaped ones too, and none leaves the root (RFC 3986 §5.2.4)', () => {
  const routes = router().get('/admin', says('admin')).get('/public/*', says('public')).get('/', says('root'));
  for (const target of [
    '/public/../admin',
    '/public/%2e%2E/admin',
    '/public/.%2e/./admin',
    '/../../admin',
    '//admin',
  ]) {
    assert.deepEqual(taken(routes, target), ['admin', {}], target);
  }
  assert.deepEqual(taken(routes, '/public/a/..'), ['public', { '*': '' }]);
  assert.deepEqual(taken(routes, '/public//a'), ['public', { '*': 'a' }]);
  assert.deepEqual(taken(routes, '/public/..%2fadmin'), ['public', { '*': '../admin' }]);
  assert.deepEqual(taken(routes, '/..'), ['root', {}]);
  assert.deepEqual(taken(routes, '/public/.well-known/...'), ['public', { '*': '.well-known/...' }]);
});

test('a path that cannot be read in one way only is 400', () => {
  const routes = router().get('/*', says('all'));
  for (const target of ['/%', '/%4', '/%zz', '/%ff', '/%c3', '/a%00b', '/%0d%0a', '/%7f', '/a b', '/\x01', '/é']) {
    assert.throws(() => ask(routes, 'GET', target), failsWith('target-invalid'), target);
  }
});

test('the request keeps its target as received', () => {
  let target = '';
  const routes = router().get('/admin', (request) => {
    target = request.target;
    return reply.empty();
  });
  ask(routes, 'GET', '/x/..//%61dmin?q');
  assert.equal(target, '/x/..//%61dmin?q');
});

test('a path that only other methods have is 405 with allow, any other path 404', () => {
  const routes = router().get('/a', says('a')).post('/a', says('post')).delete('/:x', says('delete'));
  const response = ask(routes, 'PUT', '/a');
  assert.equal(response.status, 405);
  assert.equal(header(response, 'allow'), 'GET, HEAD, POST, DELETE, OPTIONS');
  assert.equal(ask(routes, 'GET', '/b/c').status, 404);
});

test('HEAD runs what answers GET, unless a route takes HEAD itself (RFC 9110 §9.3.2)', () => {
  const routes = router().get('/a', says('get')).get('/b', says('get')).head('/b', says('head')).all('/c', says('all'));
  assert.deepEqual(taken(routes, '/a', 'HEAD'), ['get', {}]);
  assert.deepEqual(taken(routes, '/b', 'HEAD'), ['head', {}]);
  assert.deepEqual(taken(routes, '/c', 'HEAD'), ['all', {}]);
});

test('OPTIONS tells what is allowed, unless a route takes it (RFC 9110 §9.3.7)', () => {
  const routes = router().get('/a', says('a')).put('/:x', says('x')).options('/b', says('own'));
  const response = ask(routes, 'OPTIONS', '/a');
  assert.equal(response.status, 204);
  assert.equal(header(response, 'allow'), 'GET, HEAD, PUT, OPTIONS');
  assert.deepEqual(taken(routes, '/b', 'OPTIONS'), ['own', {}]);
  assert.equal(ask(routes, 'OPTIONS', '/none/at/all').status, 404);
  const server = ask(routes, 'OPTIONS', '*');
  assert.equal(server.status, 204);
  assert.equal(header(server, 'allow'), 'GET, HEAD, PUT, OPTIONS');
});

test('CONNECT never matches a path, and is 501 unless a route names it', () => {
  const routes = router().all('*', says('all'));
  assert.throws(() => ask(routes, 'CONNECT', 'example.com:443'), failsWith('method-unsupported'));
  const tunnels = router().on('CONNECT', '*', says('tunnel'));
  assert.deepEqual(taken(tunnels, 'example.com:443', 'CONNECT'), ['tunnel', {}]);
});

test('a method of its own is a method like the others', () => {
  const routes = router().on(['PROPFIND', 'REPORT'], '/dav/*', says('dav'));
  assert.deepEqual(taken(routes, '/dav/x', 'PROPFIND'), ['dav', { '*': 'x' }]);
  assert.equal(header(ask(routes, 'GET', '/dav/x'), 'allow'), 'OPTIONS, PROPFIND, REPORT');
});

test('routes of a host go first, and what they do not have is looked up further', () => {
  const routes = router()
    .get('/', says('any'))
    .get('/shared', says('shared'))
    .host('Example.com', (host) => host.get('/', says('exact')))
    .host('*.example.com', (host) => host.get('/', says('below')).get('/deep', says('deep')))
    .host('a.b.example.com', router().get('/', says('a.b')))
    .host('[::1]', (host) => host.get('/', says('v6')));
  const at = (authority: string, target = '/'): unknown => taken(routes, target, 'GET', { authority });
  assert.deepEqual(at('example.com'), ['exact', {}]);
  assert.deepEqual(at('EXAMPLE.com:8080'), ['exact', {}]);
  assert.deepEqual(at('example.com.'), ['exact', {}]);
  assert.deepEqual(at('x.example.com'), ['below', {}]);
  assert.deepEqual(at('x.y.Example.com:1'), ['below', {}]);
  assert.deepEqual(at('a.b.example.com'), ['a.b', {}]);
  assert.deepEqual(at('a.b.example.com', '/deep'), ['deep', {}]);
  assert.deepEqual(at('a.b.example.com', '/shared'), ['shared', {}]);
  assert.deepEqual(at('notexample.com'), ['any', {}]);
  assert.deepEqual(at('.example.com'), ['any', {}]);
  assert.deepEqual(at('[::1]:8080'), ['v6', {}]);
  assert.deepEqual(at('[0:0:0:0:0:0:0:1]'), ['v6', {}]);
  assert.deepEqual(at(''), ['any', {}]);
});

test('a mounted router has its routes below the prefix', () => {
  const inner = router().get('/', says('index')).get('/:id', says('one')).all('*', says('rest'));
  const routes = router()
    .mount('/api/', inner)
    .mount('/teams/:team', router().get('/users/:id', says('member')));
  assert.deepEqual(taken(routes, '/api'), ['index', {}]);
  assert.deepEqual(taken(routes, '/api/7'), ['one', { id: '7' }]);
  assert.deepEqual(taken(routes, '/api/7/8'), ['rest', { '*': '7/8' }]);
  assert.deepEqual(taken(routes, '/teams/1/users/2'), ['member', { team: '1', id: '2' }]);
});

test('a mounted handler has every method and path at and below its prefix, and sees the path unchanged', () => {
  const paths: string[] = [];
  const routes = router().mount('/app', (request) => {
    paths.push(`${request.method} ${request.path}`);
    return reply.empty();
  });
  ask(routes, 'GET', '/app');
  ask(routes, 'POST', '/app/x/y');
  assert.equal(ask(routes, 'GET', '/apple').status, 404);
  assert.deepEqual(paths, ['GET /app', 'POST /app/x/y']);
});

const marks =
  (name: string, log: string[]): Layer =>
  (inner) =>
  (request) => {
    log.push(name);
    return inner(request);
  };

test('layers go around everything their router answers, outermost first, 404 and 405 too', () => {
  const log: string[] = [];
  const inner = router()
    .use(marks('inner', log))
    .get('/x', says('x'), { layers: [marks('route', log)] });
  const routes = router().get('/y', says('y')).mount('/in', inner).use(marks('outer', log), marks('second', log));
  const passed = (method: string, target: string): string => {
    log.length = 0;
    return `${ask(routes, method, target).status} ${log.join(' ')}`;
  };
  assert.equal(passed('GET', '/in/x'), '200 outer second inner route');
  assert.equal(passed('POST', '/in/x'), '405 outer second inner');
  assert.equal(passed('OPTIONS', '/in/x'), '204 outer second inner');
  assert.equal(passed('GET', '/in/none'), '404 outer second inner');
  assert.equal(passed('GET', '/in'), '404 outer second inner');
  assert.equal(passed('GET', '/y'), '200 outer second');
  assert.equal(passed('GET', '/none'), '404 outer second');
});

test('layers are put together once, not per request', () => {
  let built = 0;
  const counting: Layer = (inner) => {
    built += 1;
    return inner;
  };
  const routes = router().use(counting).get('/', says('root')).compile();
  for (let i = 0; i < 3; i += 1) ask(routes, 'GET', '/');
  assert.equal(built, 1);
});

test('a route hands its state over', () => {
  const routes = router()
    .get('/a', (request) => reply.json(request.state), { state: { role: 'admin' } })
    .get('/b', (request) => reply.json(request.state ?? 'none'));
  assert.equal(ask(routes, 'GET', '/a').body, '{"role":"admin"}');
  assert.equal(ask(routes, 'GET', '/b').body, '"none"');
});

test('the body is read before the handler, unless the route, the handler or the router says manual', async () => {
  const modes: string[] = [];
  const tells: Handler = (request) => {
    modes.push(request.incoming?.complete === true ? 'read' : 'unread');
    return reply.empty();
  };
  const post = async (handler: Handler): Promise<void> => {
    const body = arrivingBody(2);
    const answer = handler(makeRequest('POST', '/', { body }));
    body.push(Buffer.from('hi'));
    body.finish(null);
    await answer;
  };
  await post(router().post('/', tells));
  await post(router().post('/', tells, { body: 'manual' }));
  await post(router().post('/', withBodyMode(tells, 'manual')));
  await post(router().post('/', withBodyMode(tells, 'manual'), { body: 'auto' }));
  await post(router({ body: 'manual' }).post('/', tells));
  await post(router({ body: 'manual' }).mount('/', router().post('/', tells)));
  await post(router({ body: 'manual' }).mount('/', router({ body: 'auto' }).post('/', tells)));
  assert.deepEqual(modes, ['read', 'unread', 'unread', 'read', 'unread', 'unread', 'read']);
});

test('nothing can be added to a router that answers already', () => {
  const inner = router().get('/', says('inner'));
  const routes = router().mount('/in', inner);
  ask(routes, 'GET', '/in');
  assert.throws(() => routes.get('/late', says('late')), /answers requests already/);
  assert.throws(() => inner.get('/late', says('late')), /answers requests already/);
});

test('two routes for one method and pattern are refused when they are compiled', () => {
  const twice = router().get('/users/:id', says('a')).get('/users/:name', says('b'));
  assert.throws(() => twice.compile(), /two routes take GET \/users\/:name \(the other is \/users\/:id\)/);
});

test('what can never match is refused at once, with the reason', () => {
  const add = (path: string) => () => router().get(path, says('x'));
  assert.throws(add('users'), /must start with \//);
  assert.throws(add('/a*'), /whole last segment/);
  assert.throws(add('/*/a'), /whole last segment/);
  assert.throws(add('/a//b'), /empty segment/);
  assert.throws(add('/a/../b'), /resolved/);
  assert.throws(add('/a/..'), /resolved/);
  assert.throws(add('/a/%2e'), /resolved/);
  assert.throws(add('/a?b'), /query/);
  assert.throws(add('/%zz'), /not UTF-8|escape/);
  assert.throws(add('/:'), /name of a parameter/);
  assert.throws(add('/:__proto__'), /name of a parameter/);
  assert.throws(add('/:a/:a'), /:a is there twice/);
  assert.throws(() => router().on('get', '/', says('x')), /write GET/);
  assert.throws(() => router().on([], '/', says('x')), /at least one method/);
  assert.throws(() => router().host('example.com:80', router()), /leave it out/);
  assert.throws(() => router().host('a b', router()), TypeError);
  assert.throws(() => router().mount('/a/*', router()), /leave the \* out/);
  const nested = router().host('a.com', (a) => a.host('b.com', (b) => b.get('/', says('b'))));
  assert.throws(() => nested.compile(), /host inside a host/);
  const circle = router();
  circle.mount('/again', circle);
  assert.throws(() => circle.compile(), /mounted in itself/);
});

test('an unknown option of a route or router is named', () => {
  // Programs without types make this mistake, so it is passed as a value whose type says nothing.
  const options: object = { layer: [] };
  assert.throws(() => router().get('/', says('x'), options), /layer: no such option, did you mean layers/);
  const routerOptions: object = { bodyMode: 'auto' };
  assert.throws(() => router(routerOptions), /bodyMode: no such option/);
});
