import assert from 'node:assert/strict';
import type { ConfigInput } from '../../src/runtime/schema.ts';
import {
  CODE,
  data,
  END_HEADERS,
  GET,
  headers,
  POST,
  PREFACE,
  SETTING,
  settings,
  TYPE,
} from '../support/http2-frames.ts';
import { Http2Wire } from '../support/http2-wire.ts';
import type { Bench, Check } from './assembled.ts';

type Http2Config = NonNullable<ConfigInput['listeners'][number]['http2']>;

/** A client of a listener with these options, and what the server has announced, by number. */
async function client(bench: Bench, http2: Http2Config, upstream?: string) {
  const parts = upstream === undefined ? {} : { upstream: { endpoints: [upstream] } };
  const assembled = await bench.open({ listener: { protocols: ['h2'], http2 }, ...parts });
  const wire = await Http2Wire.connect(assembled.port());
  const { payload } = await wire.frame(TYPE.SETTINGS);
  const values = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6) values.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  wire.send(PREFACE, settings());
  return { wire, values };
}

/** An option that the client is told of, and that test/conformance/http2/options.test.ts sees in force. */
const announced =
  (name: keyof Http2Config, value: number, setting: number): Check =>
  async (bench) => {
    const { wire, values } = await client(bench, { [name]: value });
    using _ = wire;
    assert.equal(values.get(setting), value);
    await assert.rejects(bench.open({ listener: { http2: { [name]: -1 } } }), new RegExp(`${name}.* to `, 's'));
  };

/** What each key of a listener's `http2` does. */
export const HTTP2_CHECKS: Readonly<Record<string, Check>> = {
  'listeners[].http2.connectionWindowBytes': async (bench) => {
    const { wire } = await client(bench, { connectionWindowBytes: 100_000 });
    using _ = wire;
    const { streamId, payload } = await wire.frame(TYPE.WINDOW_UPDATE);
    assert.deepEqual([streamId, payload.readUInt32BE(0)], [0, 100_000 - 65_535]);
  },

  'listeners[].http2.windowRefillThresholdBytes': async (bench) => {
    const { wire } = await client(bench, { windowRefillThresholdBytes: 10 });
    using _ = wire;
    wire.send(headers(1, POST, END_HEADERS), data(1, 'x'.repeat(10), 0));
    const { payload } = await wire.frame(TYPE.WINDOW_UPDATE);
    assert.equal(payload.readUInt32BE(0), 10);
  },

  'listeners[].http2.headerListMaxBytes': async (bench) => {
    const { wire } = await client(bench, { headerListMaxBytes: 1024 });
    using _ = wire;
    wire.send(headers(1, [...GET, ['x', 'x'.repeat(1024)]]));
    assert.equal((await wire.response(1)).status, 431);
  },

  'listeners[].http2.streamTotalMaxCount': async (bench) => {
    const upstream = await bench.upstream();
    const { wire } = await client(bench, { streamTotalMaxCount: 1 }, upstream.url);
    using _ = wire;
    wire.send(headers(1, GET), headers(3, GET));
    assert.equal((await wire.response(3)).reset, CODE.REFUSED_STREAM);
  },

  'listeners[].http2.streamWindowBytes': announced('streamWindowBytes', 1000, SETTING.INITIAL_WINDOW_SIZE),
  'listeners[].http2.streamMaxCount': announced('streamMaxCount', 10, SETTING.MAX_CONCURRENT_STREAMS),
  'listeners[].http2.frameMaxBytes': announced('frameMaxBytes', 20_000, SETTING.MAX_FRAME_SIZE),
  'listeners[].http2.headerTableMaxBytes': announced('headerTableMaxBytes', 100, SETTING.HEADER_TABLE_SIZE),
};
