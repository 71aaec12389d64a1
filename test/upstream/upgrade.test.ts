import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { acceptValue } from '../../src/protocol/websocket/handshake.ts';
import { PROXY_DEFAULTS, proxy } from '../../src/upstream/forward.ts';
import { upstream } from '../../src/upstream/group.ts';
import { Upgrade } from '../../src/upstream/upgrade.ts';
import { FakeExchange, makeRequest } from '../support/request.ts';
import { ScriptedUpstream } from './scripted.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const NONE = new Uint8Array(0);

/** One end of a connection: what is written to it is kept, and it hears what the test pushes. */
class End extends Duplex {
  written = '';

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.toString('latin1');
    done();
  }
}

const field = ({ headers }: HttpResponse, name: string): string | null => HeaderFields.from(headers).get(name);

test('a WebSocket that comes over HTTP/2 gets a key of ours for an HTTP/1.1 upstream, and no accept value (RFC 8441 §5)', async (t) => {
  await using scripted = await ScriptedUpstream.listen();
  const group = upstream({ endpoints: [scripted.url] });
  t.after(() => group.close());
  const handler = proxy(group, { upgrade: ['websocket'] });
  const headers = { 'sec-websocket-version': '13' };
  const ask = async (): Promise<HttpResponse> =>
    handler(
      makeRequest('GET', '/chat', { headers, protocol: 'HTTP/2', exchange: new FakeExchange(null, 'websocket') }),
    );
  const answered = ask();
  const server = await scripted.connection();
  const head = await server.head();
  const key = /\r\nsec-websocket-key: (\S{24})\r\n/.exec(head)?.[1] ?? '';
  assert.match(head, /\r\nconnection: upgrade\r\nupgrade: websocket\r\n/);
  const accept = (value: string): string =>
    `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${value}\r\n\r\n`;
  server.write(`${accept(acceptValue(key))}first`);
  const response = await answered;
  assert.equal(response.status, 101);
  assert.equal(field(response, 'sec-websocket-accept'), null);
  const client = new End();
  response.takeover?.(client, NONE);
  client.push('hello');
  await server.take('hello');
  assert.equal(client.written, 'first');
  client.destroy();
  await server.closed();

  const wrong = ask();
  const other = await scripted.connection();
  await other.head();
  other.write(accept(acceptValue('another key')));
  await assert.rejects(wrong, { code: 'upstream-invalid' });
  await other.closed();
});

test('a client of HTTP/1.1 gets its accept value when the upstream, over HTTP/2, has given none (RFC 8441 §5)', () => {
  const request = makeRequest('GET', '/', {
    headers: { 'sec-websocket-key': KEY },
    exchange: new FakeExchange(null, 'websocket'),
  });
  const upgrade = new Upgrade(request, 'websocket', PROXY_DEFAULTS);
  assert.equal(upgrade.fields(request.headers), request.headers);
  const end = new End();
  const response = upgrade.response(200, HeaderFields.from({ 'sec-websocket-protocol': 'chat' }), end, NONE);
  assert.equal(response.status, 101);
  assert.equal(field(response, 'upgrade'), 'websocket');
  assert.equal(field(response, 'sec-websocket-accept'), acceptValue(KEY));
  assert.equal(field(response, 'sec-websocket-protocol'), 'chat');
  upgrade.abandon();
  assert.equal(end.destroyed, true);
});
