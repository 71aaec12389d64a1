import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { reply, router, type Server, serve } from '../../src/index.ts';
import { TEST_AUTHORITY } from '../support/certificates.ts';
import { eventually } from '../support/wire.ts';

const found = spawnSync('sh', ['-c', 'command -v chromium || command -v google-chrome'], { encoding: 'utf8' });
const executablePath = found.stdout.trim();
/** A machine without a browser may leave this out; the continuous integration installs one. */
const skip = executablePath === '' && process.env.CI !== 'true' ? 'there is no chromium here' : false;

const IMAGE_COUNT = 40;
/** The smallest GIF. */
const IMAGE = Buffer.from('R0lGODlhAQABAAAAACwAAAAAAQABAAA=', 'base64');
const PAGE = `<!doctype html><title>page</title><link rel="stylesheet" href="/style.css">
${Array.from({ length: IMAGE_COUNT }, (_, index) => `<img src="/image/${index}.gif">`).join('')}
<script>
  const seen = (window.seen = { said: [], events: [], closed: null });
  const socket = (window.socket = new WebSocket(location.origin.replace('http', 'ws') + '/chat'));
  socket.onmessage = ({ data }) => seen.said.push(data);
  socket.onclose = ({ code }) => (seen.closed = code);
  socket.onopen = () => socket.send('hello');
  const source = new EventSource('/events');
  source.onmessage = ({ data }) => seen.events.push(data);
  source.onerror = () => source.close();
</script>`;

interface Seen {
  readonly said: readonly string[];
  readonly events: readonly string[];
  readonly closed: number | null;
}

/** A server over TLS, what its handlers saw, and a page of it in a browser. */
class Site {
  readonly protocols = new Set<string>();
  server: Server | null = null;
  endEvents: () => void = () => undefined;

  handler() {
    const saw = ({ protocol, path }: { protocol: string; path: string }): void => {
      this.protocols.add(`${protocol} ${path.split('/')[1]}`);
    };
    return router()
      .get('/', (request) => {
        saw(request);
        return reply.html(PAGE);
      })
      .get('/style.css', () => reply.text('body { margin: 0 }', { headers: { 'content-type': 'text/css' } }))
      .get('/image/:name', (request) => {
        saw(request);
        return reply.bytes(IMAGE, { headers: { 'content-type': 'image/gif' } });
      })
      .post('/upload', async (request) => reply.json({ bytes: (await request.bytes()).length }))
      .get('/events', (request) => {
        saw(request);
        const ended = new Promise<void>((resolve) => {
          this.endEvents = resolve;
        });
        const items = async function* () {
          yield 'begun';
          await ended;
          yield 'goodbye';
        };
        return reply.events(items(), { onDrain: () => this.endEvents() });
      })
      .websocket('/chat', (socket, request) => {
        saw(request);
        socket.onMessage((message) => void socket.send(message));
      });
  }
}

async function opened(context: TestContext): Promise<{ site: Site; server: Server; page: Page }> {
  const site = new Site();
  const certificate = TEST_AUTHORITY.issue({ names: ['localhost', '127.0.0.1'] });
  const tls = { certificates: [certificate] };
  const server = await serve({
    listeners: [{ bind: '127.0.0.1:0', protocols: ['h2', 'http1'], tls }],
    handler: site.handler(),
  });
  const browser: Browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  context.after(async () => {
    await browser.close();
    await server.close();
  });
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(`https://127.0.0.1:${server.listeners[0]?.address.port}/`, { waitUntil: 'load' });
  return { site, server, page };
}

const seenBy = (page: Page): Promise<Seen> => page.evaluate(() => Reflect.get(globalThis, 'seen'));

async function until(page: Page, what: string, met: (seen: Seen) => boolean): Promise<Seen> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const seen = await seenBy(page);
    if (met(seen)) return seen;
    await page.waitForTimeout(20);
  }
  throw new Error(`waited in vain for ${what}: ${JSON.stringify(await seenBy(page))}`);
}

test('Chromium loads a page over HTTP/2, with a WebSocket and server-sent events on the same connection, and a drain says goodbye to both', {
  skip,
}, async (context) => {
  const { site, server, page } = await opened(context);
  await until(page, 'an echo and an event', ({ said, events }) => said.length > 0 && events.length > 0);
  const images = await page.evaluate(
    'Array.from(document.images).filter((image) => image.complete && image.naturalWidth === 1).length',
  );
  assert.equal(images, IMAGE_COUNT);
  assert.deepEqual((await seenBy(page)).said, ['hello']);
  assert.deepEqual(
    [...site.protocols].toSorted(),
    ['HTTP/2 ', 'HTTP/2 chat', 'HTTP/2 events', 'HTTP/2 image'],
    'the WebSocket too came over HTTP/2',
  );
  const uploaded = await page.evaluate(
    "fetch('/upload', { method: 'POST', body: new Uint8Array(1_000_000) }).then((response) => response.json())",
  );
  assert.deepEqual(uploaded, { bytes: 1_000_000 });
  const drained = server.drain({ graceMs: 5000, quietMs: 0 });
  const seen = await until(page, 'the goodbyes', ({ closed, events }) => closed !== null && events.length > 1);
  assert.equal(seen.closed, 1001);
  assert.deepEqual(seen.events, ['begun', 'goodbye']);
  const report = await drained;
  assert.deepEqual([report.outcome, report.mayHaveLostCount], ['clean', 0]);
  await eventually(() => server.status().connections.total === 0);
});
