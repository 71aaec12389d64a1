import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import {
  lastEventId,
  proxy,
  reply,
  router,
  type Server,
  type ServerSentEvent,
  serve,
  upstream,
} from '../../src/index.ts';
import { eventually } from '../support/wire.ts';

const run = promisify(execFile);
const PROTOCOLS = ['--http1.1', '--http2-prior-knowledge'];

const portOf = (server: Server): number => server.listeners[0]?.address.port ?? 0;

async function* few(from: number): AsyncGenerator<ServerSentEvent> {
  for (let n = from; n < from + 3; n += 1) {
    yield { id: String(n), data: `line ${n}\nand more` };
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Events that never end, and whether somebody still takes them. */
class Endless {
  stoppedCount = 0;

  async *events(): AsyncGenerator<string> {
    try {
      for (;;) {
        yield 'tick';
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } finally {
      this.stoppedCount += 1;
    }
  }
}

async function served(context: TestContext, endless: Endless): Promise<{ urls: string[]; backend: Server }> {
  const listeners = [{ bind: '127.0.0.1:0', protocols: ['h2', 'http1'] as const }];
  const backend = await serve({
    listeners,
    handler: router()
      .get('/few', (request) => reply.events(few(Number(lastEventId(request) ?? 0) + 1), { retryMs: 10 }))
      .get('/endless', () =>
        reply.events(endless.events(), {
          onDrain: (drain) => {
            drain.send({ event: 'goodbye', data: '' });
            drain.end();
          },
        }),
      ),
  });
  const group = upstream({ endpoints: [`http://127.0.0.1:${portOf(backend)}`] });
  const server = await serve({ listeners, handler: proxy(group) });
  context.after(async () => {
    await server.close();
    group.close();
    await backend.close();
  });
  return { urls: [backend, server].map((each) => `http://127.0.0.1:${portOf(each)}`), backend };
}

test('curl reads events over HTTP/1.1 and HTTP/2, directly and through the proxy', async (context) => {
  const { urls } = await served(context, new Endless());
  for (const url of urls) {
    for (const protocol of PROTOCOLS) {
      const asked = ['-sSN', '--max-time', '20', protocol, '-H', 'last-event-id: 6', '-D', '-', `${url}/few`];
      const [head = '', ...body] = (await run('curl', asked)).stdout.split('\r\n\r\n');
      assert.match(head, /\r\ncontent-type: text\/event-stream\r\n/);
      assert.match(head, /\r\ncache-control: no-store\r\n/);
      const events = [7, 8, 9].map((n) => `id: ${n}\ndata: line ${n}\ndata: and more\n\n`);
      assert.equal(body.join('\r\n\r\n'), `retry: 10\n${events.join('')}`);
    }
  }
});

test('the source stops when curl goes away, over HTTP/1.1 and HTTP/2, directly and through the proxy', async (context) => {
  const endless = new Endless();
  const { urls } = await served(context, endless);
  let goneCount = 0;
  for (const url of urls) {
    for (const protocol of PROTOCOLS) {
      const curl = spawn('curl', ['-sSN', protocol, `${url}/endless`], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(curl.stdout, 'data');
      curl.kill();
      goneCount += 1;
      await eventually(() => endless.stoppedCount === goneCount, `${url} ${protocol}`);
    }
  }
});

test('a drain lets every stream say goodbye, and is clean', async (context) => {
  const { urls, backend } = await served(context, new Endless());
  const told = urls.flatMap((url) =>
    PROTOCOLS.map((protocol) => {
      const curl = spawn('curl', ['-sSN', protocol, `${url}/endless`], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      curl.stdout.on('data', (chunk: Buffer) => {
        text += String(chunk);
      });
      return { curl, ended: once(curl, 'close'), text: () => text };
    }),
  );
  await eventually(() => told.every(({ text }) => text().includes('tick')));
  const report = await backend.drain({ quietMs: 0 });
  assert.equal(report.outcome, 'clean');
  for (const { ended, text } of told) {
    assert.equal((await ended)[0], 0);
    assert.match(text(), /event: goodbye\ndata: \n\n$/);
  }
});
