import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { GET, headers } from '../support/http2-frames.ts';
import { Http2Wire } from '../support/http2-wire.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { eventually, turns } from '../support/wire.ts';
import { type Check, get, post } from './assembled.ts';

const HALF_A_HEAD = 'GET / HTTP/1.1\r\nhost: a\r\n';

/** What each key of a listener does. */
export const LISTENER_CHECKS: Readonly<Record<string, Check>> = {
  'listeners[].name': async (bench) => {
    const named = await bench.open({ listener: { name: 'front' } });
    assert.equal(named.server.listeners[0]?.name, 'front');
  },

  'listeners[].bind': async (bench) => {
    const elsewhere = await bench.open({ listener: { bind: '127.0.0.2:0' } });
    assert.equal(elsewhere.server.listeners[0]?.address.host, '127.0.0.2');
  },

  'listeners[].protocols': async (bench) => {
    const assembled = await bench.open({ listener: { protocols: ['http1'] } });
    assert.equal((await assembled.get()).status, 200);
    const both = await bench.open({ listener: { protocols: ['h2', 'http1'] } });
    assert.equal((await both.get()).status, 200);
    using wire = await Http2Wire.open(both.port());
    assert.equal((await wire.send(headers(1, GET)).response(1)).body, 'fixed');
    const unknown = JSON.parse('["h3"]'); // past the compiler, as a file would be
    await assert.rejects(bench.open({ listener: { protocols: unknown } }), /protocols.*\n?.*http1/s);
  },

  'listeners[].reconcileMs': async (bench) => {
    const timersWith = async (reconcileMs: number | null): Promise<number> => {
      const clock = new ManualClock();
      await bench.open({ listener: { reconcileMs } }, clock);
      return clock.timerCount;
    };
    assert.equal(await timersWith(1000), (await timersWith(null)) + 1);
  },

  'listeners[].backlogCount': async (bench) => {
    // All connect before the server gets a turn to accept; a short queue has no room for them.
    const connectedAtOnce = async (backlogCount: number): Promise<number> => {
      const assembled = await bench.open({ listener: { backlogCount } });
      let connectedCount = 0;
      for (let count = 0; count < 8; count += 1) {
        void assembled.wire().then(
          () => {
            connectedCount += 1;
          },
          () => undefined,
        );
      }
      await eventually(() => connectedCount > 0);
      await turns(20);
      return connectedCount;
    };
    assert.equal(await connectedAtOnce(1024), 8);
    assert.ok((await connectedAtOnce(1)) < 8);
  },

  'listeners[].reusePort': async (bench) => {
    const first = await bench.open({ listener: { reusePort: true } });
    const bind = `127.0.0.1:${first.port()}`;
    await assert.rejects(bench.open({ listener: { bind } }), { code: 'EADDRINUSE' });
    await bench.open({ listener: { bind, reusePort: true } });
  },

  'listeners[].mode': async (bench) => {
    await bench.open({ listener: { bind: 'unix:mode.sock', mode: '0604' } });
    assert.equal(statSync(join(bench.folder, 'mode.sock')).mode & 0o777, 0o604);
  },

  'listeners[].limits.connectionMaxCount': async (bench) => {
    const assembled = await bench.open({ limits: { connectionMaxCount: 1 } });
    const first = await assembled.send(get());
    await first.response();
    assert.equal((await (await assembled.wire()).response()).status, 503);
  },

  'listeners[].limits.connectionPerPeerMaxCount': async (bench) => {
    const assembled = await bench.open({ limits: { connectionPerPeerMaxCount: 1 } });
    const first = await assembled.send(get());
    await first.response();
    assert.equal((await (await assembled.wire()).response()).status, 503);
  },

  'listeners[].limits.requestMaxCount': async (bench) => {
    const upstream = await bench.upstream();
    const assembled = await bench.open({ limits: { requestMaxCount: 1 }, upstream: { endpoints: [upstream.url] } });
    await assembled.send(get());
    const connection = await upstream.connection();
    await connection.head();
    const second = await assembled.send(get());
    assert.equal((await second.response()).status, 503);
    assert.equal(second.ended, null);
  },

  'listeners[].limits.headMaxBytes': async (bench) => {
    const assembled = await bench.open({ limits: { headMaxBytes: 64 } });
    assert.equal((await assembled.get('/', `host: a\r\nx: ${'x'.repeat(64)}\r\n`)).status, 431);
  },

  'listeners[].limits.headerMaxCount': async (bench) => {
    const assembled = await bench.open({ limits: { headerMaxCount: 1 } });
    assert.equal((await assembled.get('/', 'host: a\r\nx: y\r\n')).status, 431);
  },

  'listeners[].limits.targetMaxBytes': async (bench) => {
    const assembled = await bench.open({ limits: { targetMaxBytes: 8 } });
    assert.equal((await assembled.get('/23456789')).status, 414);
  },

  'listeners[].limits.bodyMaxBytes': async (bench) => {
    const assembled = await bench.open({ limits: { bodyMaxBytes: 3 } });
    const wire = await assembled.send(post('four'));
    assert.equal((await wire.response()).status, 413);
  },

  'listeners[].limits.headTimeoutMs': async (bench) => {
    const assembled = await bench.open({ limits: { headTimeoutMs: 40 } });
    assert.equal((await (await assembled.send(HALF_A_HEAD)).response()).status, 408);
  },

  'listeners[].limits.idleTimeoutMs': async (bench) => {
    const assembled = await bench.open({ limits: { idleTimeoutMs: 40 } });
    const wire = await assembled.send(get());
    await wire.response();
    assert.equal(await wire.closed(), 'fin');
  },

  'listeners[].limits.dataRateMinBytesPerSec': async (bench) => {
    // After the first three seconds, which are free; the default would let this pass for ten.
    const assembled = await bench.open({ limits: { dataRateMinBytesPerSec: 1_000_000, headTimeoutMs: null } });
    const wire = await assembled.send(post('x'.repeat(3000), 1000));
    assert.equal((await wire.response()).status, 408);
  },

  'listeners[].limits.writeStallTimeoutMs': async (bench) => {
    const assembled = await bench.open({
      limits: { writeStallTimeoutMs: 40 },
      route: { respond: { body: 'x'.repeat(32_000_000) } },
    });
    const wire = await assembled.wire();
    wire.socket.pause();
    wire.write(get());
    await eventually(() => assembled.server.status().listeners[0]?.closed['write-stall'] === 1);
  },

  'listeners[].limits.requestsPerConnectionMaxCount': async (bench) => {
    const assembled = await bench.open({ limits: { requestsPerConnectionMaxCount: 1 } });
    assert.equal((await assembled.get()).get('connection'), 'close');
  },

  'listeners[].limits.handlerTimeoutMs': async (bench) => {
    const upstream = await bench.upstream();
    const assembled = await bench.open({ limits: { handlerTimeoutMs: 40 }, upstream: { endpoints: [upstream.url] } });
    assert.equal((await assembled.get()).status, 504);
  },
};
