import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean } from '../../src/core/spelling.ts';

const KNOWN = ['idleTimeoutMs', 'headMaxBytes', 'name'];

test('a name is suggested when it is close, and not when it is far', () => {
  assert.equal(didYouMean('headmaxbytes', KNOWN), 'headMaxBytes');
  assert.equal(didYouMean('nmae', KNOWN), 'name');
  assert.equal(didYouMean('somethingElse', KNOWN), null);
});
