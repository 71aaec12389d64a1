import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readClientHello } from '../../../src/transport/tls/client-hello.ts';

const u8 = (value: number): Buffer => Buffer.of(value);
const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
const sized = (bytes: Buffer): Buffer => Buffer.concat([u16(bytes.length), bytes]);
const extension = (type: number, data: Buffer): Buffer => Buffer.concat([u16(type), sized(data)]);

const serverName = (name: string): Buffer => extension(0, sized(Buffer.concat([u8(0), sized(Buffer.from(name))])));
const sessionTicket = (ticket: Buffer): Buffer => extension(35, ticket);
const preSharedKey = (ticket: Buffer): Buffer =>
  extension(41, Buffer.concat([sized(Buffer.concat([sized(ticket), Buffer.alloc(4)])), sized(Buffer.alloc(33))]));

/** A ClientHello (RFC 8446 §4.1.2), without its record. `null`: it ends before the extensions. */
function message(extensions: readonly Buffer[] | null, sessionIdBytes = 32): Buffer {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    u8(sessionIdBytes),
    Buffer.alloc(sessionIdBytes),
    sized(Buffer.of(0x13, 0x01)),
    Buffer.of(1, 0),
    extensions === null ? Buffer.alloc(0) : sized(Buffer.concat(extensions)),
  ]);
  return Buffer.concat([Buffer.of(1, 0), u16(body.length), body]);
}

const record = (fragment: Buffer, type = 22): Buffer => Buffer.concat([Buffer.of(type, 3, 1), sized(fragment)]);

const TICKET = Buffer.alloc(180, 9);
const GREASE = extension(0x0a0a, Buffer.of(0));

test('the name is read, in lower case (RFC 6066 §3)', () => {
  const hello = readClientHello(record(message([GREASE, serverName('A.Example.COM'), sessionTicket(Buffer.alloc(0))])));
  assert.deepEqual(hello, { serverName: 'a.example.com', ticket: null });
});

test('the ticket is read, of TLS 1.2 (RFC 5077 §3.2) and of TLS 1.3 (RFC 8446 §4.2.11)', () => {
  for (const extended of [sessionTicket(TICKET), preSharedKey(TICKET)]) {
    const hello = readClientHello(record(message([serverName('a.test'), extended], 0)));
    assert.deepEqual(hello, { serverName: 'a.test', ticket: TICKET });
  }
});

test('a message without extensions, or without these, says nothing', () => {
  for (const extensions of [null, [], [GREASE]]) {
    assert.deepEqual(readClientHello(record(message(extensions))), { serverName: null, ticket: null });
  }
});

test('a message in several records is put together', () => {
  const bytes = message([serverName('a.test')]);
  const records = [bytes.subarray(0, 3), bytes.subarray(3, 50), bytes.subarray(50)].map((part) => record(part));
  assert.deepEqual(readClientHello(Buffer.concat(records)), { serverName: 'a.test', ticket: null });
});

test('whatever is cut off is incomplete, at every byte', () => {
  const bytes = message([serverName('a.test'), preSharedKey(TICKET)]);
  for (const whole of [record(bytes), Buffer.concat([record(bytes.subarray(0, 40)), record(bytes.subarray(40))])]) {
    for (let length = 0; length < whole.length; length += 1) {
      assert.equal(readClientHello(whole.subarray(0, length)), 'incomplete', `after ${length} bytes`);
    }
    const more = Buffer.concat([whole, Buffer.from('what comes after it')]);
    assert.deepEqual(readClientHello(more), { serverName: 'a.test', ticket: TICKET });
  }
});

test('what begins in another way is not TLS', () => {
  for (const text of ['GET / HTTP/1.1\r\n', '\x80\x2e\x01', '\x16\x02', '\x15\x03\x01']) {
    assert.equal(readClientHello(Buffer.from(text, 'latin1')), 'not-tls');
  }
});

test('what is not a message to read is left to OpenSSL: other messages, empty records, too long ones, cut lists', () => {
  const nothing = { serverName: null, ticket: null };
  const bytes = message([serverName('a.test')]);
  const broken = [
    record(Buffer.concat([Buffer.of(2, 0), bytes.subarray(2)])),
    record(Buffer.alloc(0)),
    Buffer.concat([record(bytes.subarray(0, 10)), record(bytes.subarray(10), 23)]),
    record(Buffer.of(1, 1, 0, 0)),
    record(message([extension(0, Buffer.of(0, 1))])),
    record(message([extension(41, Buffer.of(0))])),
    record(message([Buffer.of(0)])),
    record(Buffer.of(1, 0, 0, 2, 3, 3)),
  ];
  for (const hello of broken) assert.deepEqual(readClientHello(hello), nothing);
});

test('no bytes make it throw', () => {
  const whole = record(message([serverName('a.test'), sessionTicket(TICKET), preSharedKey(TICKET)]));
  const changed = fc
    .array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((changes) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([Buffer.of(22, 3, 1, 0), bytes]));
  fc.assert(
    fc.property(fc.oneof(changed, any), (bytes) => {
      const hello = readClientHello(bytes);
      if (typeof hello === 'object' && hello.ticket !== null) assert.ok(hello.ticket.length <= bytes.length);
    }),
    { numRuns: 2000 },
  );
});
