import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { Output } from '../../../src/protocol/http2/output.ts';
import { Sender } from '../../../src/protocol/http2/sender.ts';

/** What is written, as it is written. */
class Written extends Output {
  readonly pieces: Uint8Array[] = [];

  override write(): void {}

  override writeBytes(bytes: Uint8Array): void {
    this.pieces.push(bytes);
  }
}

const OWNER = { id: 1, ready() {}, sendTrailers() {}, sentEnd() {} };

test('crumbs that wait for a window are kept, and leave, in few pieces', () => {
  const output = new Written(new Socket(), () => undefined);
  const sender = new Sender(OWNER, output, null, null, () => undefined);
  const given = Array.from({ length: 20_000 }, (_, index) => Buffer.from([index & 0xff]));
  for (const crumb of given) sender.write(crumb);
  assert.equal(sender.queuedBytes, 20_000);
  for (const wantedBytes of [5000, 10_000, 5000]) assert.equal(sender.emit(wantedBytes), wantedBytes);
  assert.deepEqual([sender.queuedBytes, sender.emittedBytes], [0, 20_000]);
  assert.ok(Buffer.concat(output.pieces).equals(Buffer.concat(given)));
  assert.ok(output.pieces.length < 10, `${output.pieces.length} pieces`);
});
