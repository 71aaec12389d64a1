import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import { TrustedProxies } from '../../src/core/trusted-proxies.ts';
import { PROXY_DEFAULTS, proxy } from '../../src/upstream/forward.ts';
import { oneHopLess, ownPseudonym, passedTrailers, Rewrite, type RewriteOptions } from '../../src/upstream/rewrite.ts';
import { makeRequest, type RequestParts } from '../support/request.ts';

const rewrite = (options: Partial<RewriteOptions> = {}): Rewrite =>
  new Rewrite({ ...PROXY_DEFAULTS, via: 'me', ...options });

const passed = (parts: RequestParts, options: Partial<RewriteOptions> = {}): Record<string, string> =>
  Object.fromEntries(rewrite(options).request(makeRequest('GET', '/', parts)).headers);

const fails = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

test('hop-by-hop fields and those that connection names end here (RFC 9110 §7.6.1)', () => {
  const headers = {
    accept: '*/*',
    connection: 'close, X-Secret',
    'x-secret': '1',
    'keep-alive': 'timeout=5',
    'proxy-connection': 'keep-alive',
    'proxy-authorization': 'Basic x',
    te: 'trailers',
    'transfer-encoding': 'chunked',
    'content-length': '3',
    host: 'a',
    expect: '100-continue',
    'x-keep-alive': 'stays',
    'user-agent': 'te: connection: x',
  };
  assert.deepEqual(passed({ headers }, { forwarded: 'none', via: null }), {
    accept: '*/*',
    'x-keep-alive': 'stays',
    'user-agent': 'te: connection: x',
  });
});

test('an untrusted client cannot speak for others: its forwarding fields are replaced', () => {
  const headers = {
    'X-Forwarded-For': '10.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil',
    'x-forwarded-port': '1',
    'x-forwarded-anything': '1',
    forwarded: 'for=10.0.0.1',
    'x-real-ip': '10.0.0.1',
    x_forwarded_for: '10.0.0.1',
    X_Real_IP: '10.0.0.1',
    transfer_encoding: 'chunked',
  };
  const parts = { headers, peer: { address: '203.0.113.9' }, authority: 'example.com' };
  assert.deepEqual(passed(parts), {
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'example.com',
    via: '1.1 me',
  });
  assert.deepEqual(passed(parts, { forwarded: 'none' }), { via: '1.1 me' });
});

test('what a trusted proxy says is kept and added to', () => {
  const headers = {
    'x-forwarded-for': '198.51.100.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
    'x-forwarded-port': '443',
    forwarded: 'for=198.51.100.7;proto=https',
  };
  const parts = { headers, peer: { address: '10.1.2.3' }, authority: 'internal' };
  assert.deepEqual(passed(parts, { trustedProxies: ['10.0.0.0/8'], forwarded: 'both' }), {
    'x-forwarded-port': '443',
    'x-forwarded-for': '198.51.100.7, 10.1.2.3',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example',
    forwarded: 'for=198.51.100.7;proto=https, for=10.1.2.3;host="internal";proto=http',
    via: '1.1 me',
  });
});

test('forwarded quotes IPv6 and writes mapped IPv4 plainly (RFC 7239 §6)', () => {
  const forwarded = (address: string, secure = false): string | undefined =>
    passed({ peer: { address, secure }, authority: '' }, { forwarded: 'forwarded' }).forwarded;
  assert.equal(forwarded('2001:db8::1'), 'for="[2001:db8::1]";proto=http');
  assert.equal(forwarded('::ffff:192.0.2.1', true), 'for=192.0.2.1;proto=https');
  assert.equal(forwarded('unix:'), 'for=unknown;proto=http');
});

test('trusted proxies are addresses, ranges and unix sockets', () => {
  const trustedProxies = ['192.0.2.1', '10.0.0.0/8', '2001:db8::/32', 'unix'];
  const isTrusted = (address: string): boolean =>
    passed({ peer: { address }, headers: { 'x-forwarded-for': 'x' } }, { trustedProxies })['x-forwarded-for']?.includes(
      ', ',
    ) === true;
  for (const address of ['192.0.2.1', '10.255.0.1', '::ffff:10.0.0.1', '2001:db8:1::1', 'unix:']) {
    assert.equal(isTrusted(address), true, address);
  }
  for (const address of ['192.0.2.2', '11.0.0.1', '::ffff:11.0.0.1', '2001:db9::1']) {
    assert.equal(isTrusted(address), false, address);
  }
  for (const wrong of ['10.0.0.0/33', 'localhost', '::/129', '10.0.0.0/', '1.2.3.4/8/8']) {
    assert.throws(() => rewrite({ trustedProxies: [wrong, '::1'] }), TypeError, wrong);
  }
});

test('the same section from another peer, or under another authority, is told apart', () => {
  const shared = HeaderFields.fromText('accept: */*\r\n');
  const one = rewrite();
  const told = (address: string, authority: string, secure = false): string =>
    one.request(makeRequest('GET', '/', { headers: shared, authority, peer: { address, secure } })).headers.text;
  const first = told('192.0.2.1', 'a');
  assert.match(first, /x-forwarded-for: 192\.0\.2\.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: a\r\n/);
  assert.equal(told('192.0.2.1', 'a'), first);
  assert.match(told('192.0.2.2', 'a'), /x-forwarded-for: 192\.0\.2\.2\r\n/);
  assert.match(told('192.0.2.1', 'b'), /x-forwarded-host: b\r\n/);
  assert.match(told('192.0.2.1', 'a', true), /x-forwarded-proto: https\r\n/);
});

test('a request that has been here before is refused; one that only resembles it is not (RFC 9110 §7.6.3)', () => {
  for (const via of ['1.1 me', '1.0 other, 1.1 me', '1.1 me (comment)', '1.1 ME, 1.1 other', 'HTTP/1.1 me']) {
    assert.throws(() => passed({ headers: { Via: via } }), fails('proxy-loop'), via);
  }
  for (const via of ['1.1 me2', '1.1 not-me', '1.1 me.example', '1.1 other (me)']) {
    assert.equal(passed({ headers: [['via', via]] }).via, '1.1 me', via);
  }
  assert.match(
    rewrite().request(makeRequest('GET', '/', { headers: { via: '1.0 x' } })).headers.text,
    /via: 1\.0 x\r\n.*via: 1\.1 me/s,
  );
  assert.notEqual(ownPseudonym(), ownPseudonym());
});

test('the host is the client’s, the endpoint’s or a given one', () => {
  assert.equal(rewrite().authority('a.example', '10.0.0.1:80'), 'a.example');
  assert.equal(rewrite().authority('', '10.0.0.1:80'), '10.0.0.1:80');
  assert.equal(rewrite({ host: 'upstream' }).authority('a.example', '10.0.0.1:80'), '10.0.0.1:80');
  assert.equal(rewrite({ host: { value: 'b.example' } }).authority('a.example', 'c'), 'b.example');
});

test('a prefix is stripped at a segment boundary, and nothing else of the target changes', () => {
  const strip = rewrite({ stripPrefix: '/api' });
  assert.equal(strip.target('/api/a%2Fb/../c?d=/api'), '/a%2Fb/../c?d=/api');
  assert.equal(strip.target('/api'), '/');
  assert.equal(strip.target('/api?x'), '/?x');
  assert.equal(strip.target('/apis/x'), '/apis/x');
  assert.equal(strip.target('*'), '*');
  assert.equal(strip.target('/api//evil.example/'), '//evil.example/');
  assert.equal(rewrite().target('//a/./b'), '//a/./b');
});

test('an expectation is known and left to the connection', () => {
  const expects = (expect: string): boolean =>
    rewrite().request(makeRequest('PUT', '/', { headers: { expect } })).expectContinue;
  assert.equal(expects('100-Continue'), true);
  assert.equal(expects('something'), false);
});

test('a response loses what belongs to one connection and gains via', () => {
  const one = rewrite();
  const fields = HeaderFields.fromText(
    'Server: x\r\nConnection: x-hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a\r\nset-cookie: b\r\n',
  );
  const answer = one.response(fields, 'HTTP/1.1');
  assert.equal(answer.text, 'Server: x\r\nSet-Cookie: a\r\nset-cookie: b\r\nvia: 1.1 me\r\n');
  assert.equal(one.response(fields, 'HTTP/1.1'), answer, 'the same section is the same answer');
  assert.match(one.response(fields, 'HTTP/1.0').text, /via: 1\.0 me/);
  assert.equal(rewrite({ via: null }).response(HeaderFields.fromText('a: b\r\n'), 'HTTP/1.1').text, 'a: b\r\n');
});

test('OPTIONS and TRACE count their hops (RFC 9110 §7.6.2)', () => {
  const left = (method: string, hops: string): string | null | undefined =>
    oneHopLess(method, HeaderFields.from({ 'max-forwards': hops }))?.get('max-forwards');
  assert.equal(left('OPTIONS', '5'), '4');
  assert.equal(left('TRACE', '0'), undefined);
  assert.equal(left('GET', '0'), '0');
  assert.equal(left('OPTIONS', 'x'), 'x');
});

test('a target that has the prefix only in normal form is refused: it would reach another place than its route', () => {
  const strip = rewrite({ stripPrefix: '/api' });
  for (const target of ['//api/x', '/%61pi/x', '/./api/x', '/admin/../api/x', '/%2e/api', '/x/%2E%2e/api?a']) {
    assert.throws(() => strip.target(target), fails('target-invalid'), target);
  }
  for (const target of ['/other/a%20b?c=//d', '/x/.well-known/y', '/x?y=/../z'])
    assert.equal(strip.target(target), target);
});

test('trailers that tell who asks or may are not passed on', () => {
  const trailers = HeaderFields.fromText(
    'X-Checksum: 1\r\nX-Forwarded-For: 6.6.6.6\r\nx_real_ip: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nAuthorization: x\r\nCookie: y\r\nVia: z\r\n',
  );
  assert.equal(passedTrailers(trailers).text, 'X-Checksum: 1\r\n');
});

test('a peer whose address is not known any more is not a unix socket', () => {
  const trusted = new TrustedProxies(['unix']);
  assert.equal(trusted.has(''), false);
  assert.equal(trusted.has('unix:'), true);
});

/** As a program without types would give it. */
const WRONG: Readonly<Record<string, RegExp>> = {
  '{"host": {"value": "b\\r\\nx: y"}}': /^proxy: host: value: "b\\r\\nx: y" is not a host$/,
  '{"host": {"valeu": "b"}}': /^proxy: host: valeu: no such option, did you mean value\?$/,
  '{"host": {}}': /^proxy: host: value: give a host$/,
  '{"host": "keep"}': /^proxy: host: "keep" is not one of preserve, upstream, \{ value \}$/,
  '{"stripPrefix": "api"}': /^proxy: stripPrefix: "api" is not a path that begins with a slash/,
  '{"stripPrefix": "/api/"}': /stripPrefix: /,
  '{"stripPrefix": "/"}': /stripPrefix: /,
  '{"stripPrefix": "/a b"}': /stripPrefix: /,
  '{"via": "a b", "forwarded": "all"}':
    /^proxy: via: "a b" is not a name .*; forwarded: "all" is not one of x-forwarded, /,
  '{"trustedProxies": "::1", "upgrade": ["h2c"]}':
    /^proxy: trustedProxies: "::1" is not a list .*; upgrade: "h2c" is not /,
};

for (const [text, message] of Object.entries(WRONG)) {
  test(`${text} is refused with what is wrong`, () => {
    assert.throws(() => Reflect.apply(proxy, null, [null, JSON.parse(text)]), { name: 'TypeError', message });
  });
}
