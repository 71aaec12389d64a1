import assert from 'node:assert/strict';
import { NameServer } from '../support/name-server.ts';
import { eventually } from '../support/wire.ts';
import { ScriptedUpstream } from '../upstream/scripted.ts';
import { type Bench, type Check, get } from './assembled.ts';

/** A name server that knows where `api.internal` is. */
async function names(bench: Bench): Promise<NameServer> {
  const server = bench.use(await NameServer.listen());
  server.host('api.internal', ['127.0.0.1'], 60);
  return server;
}

/** What each key of discovery does. */
export const DISCOVER_CHECKS: Readonly<Record<string, Check>> = {
  'upstreams[].discover.dns': async (bench) => {
    const server = await names(bench);
    const upstream = await bench.upstream();
    const discover = { dns: `api.internal:${upstream.port}`, servers: [server.address] };
    await (await bench.open({ upstream: { discover } })).send(get());
    await (await upstream.connection()).head();
  },

  'upstreams[].discover.srv': async (bench) => {
    const server = await names(bench);
    const upstream = await bench.upstream();
    server.zones.set('SRV _http._tcp.api.internal', {
      services: [{ priority: 0, weight: 1, port: upstream.port, target: 'api.internal' }],
    });
    const discover = { srv: '_http._tcp.api.internal', servers: [server.address] };
    await (await bench.open({ upstream: { discover } })).send(get());
    await (await upstream.connection()).head();
  },

  'upstreams[].discover.secure': async (bench) => {
    const server = await names(bench);
    const upstream = bench.use(await ScriptedUpstream.listenTls());
    const discover = { dns: `api.internal:${upstream.port}`, secure: true, servers: [server.address] };
    const assembled = await bench.open({ upstream: { discover, tls: { verify: false } } });
    await assembled.send(get());
    await (await upstream.connection()).head();
  },

  // That it is as long as is said is in test/upstream/discover.test.ts; here it would take a second.
  'upstreams[].discover.refreshMs': async (bench) => {
    const server = await names(bench);
    const discover = { dns: 'api.internal:80', refreshMs: 0, servers: [server.address] };
    await assert.rejects(bench.open({ upstream: { discover } }), /milliseconds above 0, got 0/);
    await bench.open({ upstream: { discover: { ...discover, refreshMs: 1 } } });
  },

  'upstreams[].discover.timeoutMs': async (bench) => {
    const server = await names(bench);
    const upstream = await bench.upstream();
    const silent = await names(bench);
    silent.zones.set('A api.internal', 'silent').set('AAAA api.internal', 'silent');
    const servers = [silent.address, server.address];
    const discover = { dns: `api.internal:${upstream.port}`, timeoutMs: 20, servers };
    await (await bench.open({ upstream: { discover } })).send(get());
    await (await upstream.connection()).head();
  },

  'upstreams[].discover.servers': async (bench) => {
    const server = await names(bench);
    await bench.open({ upstream: { discover: { dns: 'api.internal:80', servers: [server.address] } } });
    await eventually(() => server.asked.length === 2);
  },
};
