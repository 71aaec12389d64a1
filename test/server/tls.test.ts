import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListenerOptions } from '../../src/server/options.ts';
import { LOCALHOST } from '../support/certificates.ts';
import { eventually, Wire } from '../support/wire.ts';
import { get, opened } from './opened.ts';

const tls: ListenerOptions['tls'] = { certificates: [LOCALHOST] };

test('a request over TLS is answered, and knows that it is secure', async (context) => {
  const { port, server } = await opened(
    context,
    ({ url, peer }) => ({ status: 200, body: `${url} ${peer.secure} ${peer.address} ${peer.certificate}` }),
    { listener: { tls } },
  );
  const wire = await Wire.secure(port);
  const response = await wire.write(get('/path')).response();
  assert.equal(response.body, 'https://test/path true 127.0.0.1 null');
  assert.equal((await wire.write(get('/again')).response()).status, 200);
  assert.equal(server.status().connections.idle, 1);
  wire.socket.destroy();
  await eventually(() => server.status().connections.total === 0);
});
