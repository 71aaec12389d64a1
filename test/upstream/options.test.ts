import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type UpstreamOptions, upstreamSettings } from '../../src/upstream/options.ts';

const endpoints = ['http://127.0.0.1:1'];

test('policies are off unless something is said of them, and have defaults then', () => {
  const { breaker, passive, retry, slowStart, balance } = upstreamSettings({ endpoints });
  assert.deepEqual([breaker, passive, retry, slowStart, balance.sticky], [null, null, null, null, null]);
  const said = upstreamSettings({
    endpoints,
    breaker: {},
    retry: {},
    health: { passive: {} },
    balance: { sticky: {} },
  });
  assert.equal(said.breaker?.trialCount, 1);
  assert.equal(said.retry?.attemptMaxCount, 3);
  assert.equal(said.passive?.failureCount, 5);
  assert.equal(said.balance.sticky?.cookie, 'sluice-endpoint');
});

/** As a program without types would give it. */
const given = (text: string): UpstreamOptions => ({ endpoints, ...JSON.parse(text) });

const WRONG: Readonly<Record<string, RegExp>> = {
  '{"balance": "fastest"}': /balance: "fastest" is not one of/,
  '{"balance": {"policy": "hash", "table": "rings"}}': /table: "rings" is not one of .* did you mean ring\?/,
  '{"balance": {"key": "ip"}}': /key: "ip" is not one of client-ip, path/,
  '{"balance": {"key": {"header": "x y"}}}': /"x y" is not a name of a field or cookie/,
  '{"balance": {"sticky": {"cookie": "a b"}}}': /cookie: "a b" is not a name of a cookie/,
  '{"balance": {"sticky": {"secret": "short"}}}': /secret: give text of at least 16 characters/,
  '{"retry": {"on": ["sometimes"]}}': /on: "sometimes" is not one of connect/,
  '{"retry": {"jitter": "some"}}': /jitter: "some" is not one of full, decorrelated/,
  '{"retry": {"budgetRatio": 2}}': /budgetRatio: 2 is not a number from 0 to 1/,
  '{"breaker": {"trialCount": 0}}': /trialCount: 0 is not a whole number, 1 or more/,
  '{"breaker": {"windowMs": 999, "windowMinMs": 1000}}': /breaker: windowMinMs: 1000 is above windowMs, 999/,
  '{"breaker": {"volumeMinCount": 9, "volumeEnoughCount": 8}}': /volumeMinCount: 9 is above volumeEnoughCount, 8/,
  '{"slowStart": {}}': /slowStart: needs a balance that heeds changing weights/,
  '{"slowStart": {}, "balance": "hash"}': /slowStart: needs a balance that heeds changing weights/,
  '{"slowStart": {"aggression": 0}, "balance": "random"}': /aggression: 0 is not a number above 0/,
  '{"timeouts": {"deadlineHeader": "a b"}}': /deadlineHeader: "a b" is not a field name/,
  '{"timeouts": {"deadlineTrusted": true}}': /there is no deadlineHeader/,
};

for (const [text, message] of Object.entries(WRONG)) {
  test(`${text} is refused with what is wrong`, () => {
    assert.throws(
      () => upstreamSettings(given(text)),
      (error) => error instanceof TypeError && message.test(error.message),
    );
  });
}
