import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderFields } from '../../src/core/headers.ts';
import { METRICS, type Measured, Tally } from '../../src/core/metrics.ts';
import { metrics, metricsText } from '../../src/ops/metrics.ts';
import { makeRequest } from '../support/request.ts';

const source: Measured = {
  measure(take) {
    take('sluice_upstream_requests_waiting', { upstream: 'b' }, 2);
    take('sluice_upstream_requests_total', { upstream: 'a "b" \\ \n' }, 7);
    take('sluice_upstream_requests_total', { upstream: 'b' }, 0.5);
  },
};

test('what is counted is text that Prometheus reads: families in the order of the table, labels escaped', () => {
  assert.equal(
    metricsText([source]),
    `# HELP sluice_upstream_requests_total Requests that were given to it.
# TYPE sluice_upstream_requests_total counter
sluice_upstream_requests_total{upstream="a \\"b\\" \\\\ \\n"} 7
sluice_upstream_requests_total{upstream="b"} 0.5
# HELP sluice_upstream_requests_waiting Requests that wait for a connection.
# TYPE sluice_upstream_requests_waiting gauge
sluice_upstream_requests_waiting{upstream="b"} 2
`,
  );
  assert.equal(metricsText([]), '');
});

test('series of the same name and labels are one, for two of the same series would make the text invalid', () => {
  assert.match(metricsText([source, source]), /^sluice_upstream_requests_total\{upstream="b"\} 1$/m);
});

test('in OpenMetrics a family of counters has no suffix, and the text says where it ends', () => {
  const text = metricsText([source], 'openMetrics');
  assert.match(text, /^# TYPE sluice_upstream_requests counter\nsluice_upstream_requests_total\{/m);
  assert.match(text, /\n# EOF\n$/);
});

test('the format is what the reader asks for; sources are asked for anew each time', async () => {
  const sources: Measured[] = [];
  const handler = metrics(() => sources);
  const ask = async (accept: string): Promise<readonly [string | null, string]> => {
    const { headers, body } = await handler(makeRequest('GET', '/metrics', { headers: { accept } }));
    assert.ok(typeof body === 'string');
    return [HeaderFields.from(headers).get('content-type'), body];
  };
  assert.deepEqual(await ask('*/*'), ['text/plain; version=0.0.4; charset=utf-8', '']);
  sources.push(source);
  const [type, text] = await ask('application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3');
  assert.equal(type, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  assert.match(text, /sluice_upstream_requests_total\{upstream="b"\} 0.5/);
});

test('names are those that Prometheus recommends: a prefix, a unit at the end, _total for what only grows', () => {
  for (const [name, { kind, labels }] of Object.entries(METRICS)) {
    assert.match(name, /^sluice(_[a-z]+)+$/);
    assert.equal(name.endsWith('_total'), kind === 'counter', name);
    for (const label of labels) assert.match(label, /^[a-z]+$/);
  }
});

test('a tally counts each name apart', () => {
  const tally = new Tally<string>();
  for (const name of ['a', 'b', 'a']) tally.add(name);
  assert.deepEqual(
    [...tally.entries()],
    [
      ['a', 2],
      ['b', 1],
    ],
  );
});
