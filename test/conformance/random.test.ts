import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Handler } from '../../src/core/handler.ts';
import type { HttpRequest } from '../../src/core/request.ts';
import { turns, type Wire } from '../support/wire.ts';
import { Served } from './served.ts';

/** A request as it is meant. */
interface Meant {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: string;
  /** Sizes of the chunks; `null` for a content-length. */
  readonly chunkSizes: readonly number[] | null;
  readonly expects: boolean;
}

const from = (alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...alphabet.split('')), minLength, maxLength });
const visible = Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index)).join('');
const token = from("!#$%&'*+-.^_`|~0aZx", 1, 12);
const ownNames = /^(host|content-length|transfer-encoding|connection|expect|upgrade|keep-alive)$/i;

const meant: fc.Arbitrary<Meant> = fc.record({
  method: fc
    .oneof(fc.constantFrom('GET', 'POST', 'PUT', 'OPTIONS', 'DELETE'), token)
    .filter((m) => !/^(CONNECT|TRACE|HEAD)$/.test(m)),
  target: from(visible.replace('#', ''), 0, 30).map((rest) => `/${rest}`),
  fields: fc.array(
    fc.tuple(
      token.filter((name) => !ownNames.test(name)),
      from(`${visible} \t\x80\xff\xa0`, 0, 20),
    ),
    { maxLength: 6 },
  ),
  body: from(`${visible}\r\n\0\xff`, 0, 300),
  chunkSizes: fc.option(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 5 })),
  expects: fc.boolean(),
});

function bytesOf({ method, target, fields, body, chunkSizes }: Meant): string {
  const lines = fields.map(([name, value]) => `${name}:${value}\r\n`).join('');
  const head = `${method} ${target} HTTP/1.1\r\nhost: a\r\n${lines}`;
  if (chunkSizes === null) return `${head}content-length: ${body.length}\r\n\r\n${body}`;
  let chunks = '';
  for (let at = 0, turn = 0; at < body.length; turn += 1) {
    const size = chunkSizes[turn % chunkSizes.length] ?? 1;
    const piece = body.slice(at, at + size);
    chunks += `${piece.length.toString(16)};x=${turn}\r\n${piece}\r\n`;
    at += size;
  }
  return `${head}transfer-encoding: chunked\r\n\r\n${chunks}0\r\nx-end: 1\r\n\r\n`;
}

const trimmed = (value: string): string => value.replace(/^[ \t]+|[ \t]+$/g, '');
const seenOf = ({ method, target, fields, body }: Meant): unknown => ({
  method,
  target,
  fields: fields.flatMap(([name, value]) => [name, trimmed(value)]),
  body,
});

/** Answers with what was asked, in hexadecimal so that the tests' ASCII rules hold. */
const mirror: Handler = async (request) => {
  const pairs = request.headers.pairs;
  const fields: string[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const [name, value] = [pairs[i] ?? '', pairs[i + 1] ?? ''];
    if (!ownNames.test(name)) fields.push(name, value);
  }
  const body = Buffer.from(await request.bytes()).toString('latin1');
  return { status: 200, body: JSON.stringify({ method: request.method, target: request.target, fields, body }) };
};

async function writeSplit(wire: Wire, bytes: string, cuts: readonly number[]): Promise<void> {
  const at = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
  let start = 0;
  for (const cut of [...at, bytes.length]) {
    if (cut > start) await wire.segment(bytes.slice(start, cut));
    start = cut;
  }
}

for (const body of ['auto', 'manual'] as const) {
  test(`any valid requests, cut at any bytes, are the same requests: body ${body}`, async (t) => {
    const served = await Served.start(t, mirror, {}, { body });
    const cuts = fc.array(fc.nat({ max: 100_000 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(meant, { minLength: 1, maxLength: 5 }), cuts, async (requests, at) => {
        const wire = await served.open();
        await writeSplit(wire, requests.map(bytesOf).join(''), at);
        for (const request of requests) {
          const response = await wire.response();
          assert.deepEqual(JSON.parse(Buffer.from(response.body, 'latin1').toString()), seenOf(request));
        }
        assert.equal(wire.unread, '');
        wire.socket.destroy();
      }),
      { numRuns: 120 },
    );
    await served.empty();
  });
}

/** Handlers of every kind, chosen by the target's length. */
const KINDS: readonly Handler[] = [
  () => ({ status: 200, body: 'ok' }),
  mirror,
  (request) => ({ status: 200, body: request.incoming ?? 'none' }),
  () => {
    throw new Error('thrown');
  },
  async (request) => {
    await turns(1);
    await request.text();
    throw new Error('rejected');
  },
  () => ({ status: 200, body: ReadableStream.from(['a', 'b']) }),
  (request) => ({
    status: 200,
    body: (async function* () {
      yield 'a';
      yield await request.text();
      throw new Error('broken');
    })(),
  }),
  async (request) => {
    for await (const _chunk of request) break;
    return { status: 201 };
  },
  () => ({ status: 1 }),
  (request) => ({ status: 101, headers: { upgrade: 'x' }, takeover: (socket) => socket.end(request.target).resume() }),
  async () => ({ status: 200, headers: { 'content-length': 5 }, body: ReadableStream.from(['abc']) }),
  async (request) => {
    request.inform({ status: 103 });
    request.signal.throwIfAborted();
    return { status: 204 };
  },
];
const anyKind = (request: HttpRequest) => {
  const kind = KINDS[request.target.length % KINDS.length];
  return kind === undefined ? { status: 404 } : kind(request);
};

test('any bytes end in an answer or a close, never in a crash, a hang or a leak', async (t) => {
  const served = await Served.start(t, anyKind, {}, { body: 'manual' });
  const mutation = fc.record({
    at: fc.nat({ max: 100_000 }),
    what: fc.constantFrom('insert', 'replace', 'remove', 'repeat'),
    with: fc.oneof(
      from('\r\n\0: \t;,\x0b\x85\xa0\xff0aG', 1, 4),
      fc.constantFrom(
        '\r\n\r\n',
        '\n',
        'transfer-encoding: chunked\r\n',
        'content-length: 3\r\n',
        'connection: close\r\n',
        'HTTP/1.0',
      ),
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(meant, { minLength: 1, maxLength: 4 }),
      fc.array(mutation, { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat({ max: 100_000 }), { maxLength: 4 }),
      async (requests, mutations, cuts) => {
        let bytes = requests.map(bytesOf).join('');
        for (const { at, what, with: text } of mutations) {
          const index = at % Math.max(1, bytes.length);
          const skipped = what === 'insert' ? 0 : text.length;
          const added = what === 'remove' ? '' : what === 'repeat' ? bytes.slice(index, index + 20).repeat(2) : text;
          bytes = bytes.slice(0, index) + added + bytes.slice(index + skipped);
        }
        const wire = await served.open();
        if (bytes !== '') await writeSplit(wire, bytes, cuts);
        wire.socket.end();
        await wire.closed();
        wire.socket.destroy();
      },
    ),
    { numRuns: 250 },
  );
  await served.empty();
});

test('requests in flight never leak, whatever their handlers do and whenever their clients go', async (t) => {
  const served = await Served.start(t, anyKind, { handlerTimeoutMs: 5000 }, { body: 'auto' });
  const leaving = fc.record({
    requests: fc.array(meant, { minLength: 1, maxLength: 3 }),
    cut: fc.nat({ max: 100_000 }),
    turns: fc.nat({ max: 4 }),
    way: fc.constantFrom<'resetAndDestroy' | 'destroy' | 'end'>('resetAndDestroy', 'destroy', 'end'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(leaving, { minLength: 1, maxLength: 6 }), async (clients) => {
      const wires = await Promise.all(
        clients.map(async (client) => {
          const wire = await served.open();
          const bytes = client.requests.map(bytesOf).join('');
          wire.write(bytes.slice(0, 1 + (client.cut % bytes.length)));
          await turns(client.turns);
          wire.socket[client.way]();
          return wire;
        }),
      );
      await turns(3);
      for (const wire of wires) wire.socket.destroy();
      await served.empty();
      assert.equal(served.server.status().requests.inFlight, 0);
    }),
    { numRuns: 60 },
  );
});
