import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { TlsOptions } from 'node:tls';
import { systemClock } from '../../src/core/clock.ts';
import type { Failure } from '../../src/core/failure.ts';
import { Lifecycle } from '../../src/core/lifecycle.ts';
import { TlsServer, UPSTREAM_TLS_DEFAULTS, UpstreamTls } from '../../src/transport/upstream-tls.ts';
import { type Dialled, socketDial } from '../../src/upstream/dial.ts';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import { endpointAddress } from '../../src/upstream/endpoint-address.ts';
import { TRAIT_DEFAULTS } from '../../src/upstream/endpoint-source.ts';
import type { UpstreamProtocol } from '../../src/upstream/options.ts';
import { Judge, Standing } from '../../src/upstream/standing.ts';
import { TEST_AUTHORITY } from '../support/certificates.ts';
import { MemoryConnection, NO_JUDGEMENT, UNHEARD } from './memory.ts';
import { ScriptedUpstream } from './scripted.ts';

const OWNER = { onFree() {}, onClose() {} };

/** Dials a server: which opener was asked and whether it multiplexes, or the reason of the failure. */
async function dialled(upstream: ScriptedUpstream, protocol: UpstreamProtocol, offered: readonly string[]) {
  const life = new Lifecycle();
  const opened: string[] = [];
  const opener =
    (name: string) =>
    (socket: Socket): MemoryConnection => {
      opened.push(name);
      socket.destroy();
      return new MemoryConnection(1, life, OWNER, false);
    };
  const address = endpointAddress(upstream.url);
  const tls = new UpstreamTls('test', { ...UPSTREAM_TLS_DEFAULTS, ca: TEST_AUTHORITY.cert });
  const server = address.secureHost === null ? null : new TlsServer(tls, address.secureHost, offered);
  const dial = socketDial({ http1: opener('http1'), h2: opener('h2') }, protocol);
  const result = await new Promise<Dialled | Failure>((resolve) => {
    const standing = new Standing(new Judge(NO_JUDGEMENT, systemClock, Math.random), UNHEARD);
    dial(new Endpoint(address, server, false, TRAIT_DEFAULTS, standing), { onConnected: resolve, onFailed: resolve });
  });
  if (result instanceof Error) return [result.code, result.cause instanceof Error ? result.cause.message : ''];
  result.open(OWNER, false);
  return [...opened, result.multiplexes];
}

test('over TLS the server chooses among what is offered (RFC 7301); one that knows no ALPN speaks HTTP/1.1', async () => {
  const both = ['h2', 'http/1.1'];
  const cases: readonly (readonly [TlsOptions, UpstreamProtocol, readonly string[], unknown])[] = [
    [{ ALPNProtocols: ['h2', 'http/1.1'] }, 'auto', both, ['h2', true]],
    [{ ALPNProtocols: ['http/1.1', 'h2'] }, 'auto', both, ['http1', false]],
    [{ ALPNProtocols: ['http/1.1'] }, 'auto', both, ['http1', false]],
    [{}, 'auto', both, ['http1', false]],
    [{ ALPNProtocols: ['h2', 'http/1.1'] }, 'http1', ['http/1.1'], ['http1', false]],
    [{ ALPNProtocols: ['h2'] }, 'h2', ['h2'], ['h2', true]],
    [{}, 'h2', ['h2'], ['upstream-tls', 'it does not speak HTTP/2']],
  ];
  for (const [options, protocol, offered, outcome] of cases) {
    await using upstream = await ScriptedUpstream.listenTls(options);
    assert.deepEqual(await dialled(upstream, protocol, offered), outcome, JSON.stringify([options, protocol]));
  }
});

test('in plaintext HTTP/2 is spoken only where that is configured (RFC 9113 §3.3)', async () => {
  await using upstream = await ScriptedUpstream.listen();
  assert.deepEqual(await dialled(upstream, 'h2', []), ['h2', true]);
  assert.deepEqual(await dialled(upstream, 'auto', []), ['http1', false]);
  assert.deepEqual(await dialled(upstream, 'http1', []), ['http1', false]);
});
