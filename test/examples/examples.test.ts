import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:http2';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const folder = new URL('../../examples/', import.meta.url);

interface Running {
  readonly url: string;
  readonly process: ChildProcess;
  /** The next line it prints. */
  readonly line: () => Promise<string>;
}

async function start(file: string): Promise<Running> {
  const child = spawn(process.execPath, [new URL(file, folder).pathname], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  const url = /listening on (http:\S+)/.exec(await line())?.[1];
  assert.ok(url !== undefined, `${file} must say where it listens`);
  return { url, process: child, line };
}

async function text(url: string, options?: RequestInit): Promise<string> {
  return (await fetch(url, options)).text();
}

/** A POST with prior knowledge of HTTP/2. */
async function overHttp2(url: string, body: string): Promise<string> {
  const session = connect(url);
  const stream = session.request({ ':method': 'POST', ':path': '/' }).end(body);
  const answer = await stream.toArray();
  session.close();
  return Buffer.concat(answer).toString();
}

const post = (body: string): RequestInit => ({ method: 'POST', body });

/** What each example must do. One that is not here fails. */
const CHECKS: Readonly<Record<string, (running: Running) => Promise<void>>> = {
  'hello.ts': async ({ url }) => assert.equal(await text(`${url}/hello/ada`), 'hello ada\n'),
  'echo.ts': async ({ url }) => {
    assert.equal(await text(url, post('a body')), 'a body');
    assert.match(await text(`${url}/headers`, { headers: { 'x-mine': 'yes' } }), /^x-mine: yes\r$/m);
    assert.equal(await overHttp2(url, 'a body'), 'a body');
  },
  'limits.ts': async ({ url }) => {
    const asked = Array.from({ length: 12 }, () => fetch(`${url}/api/report`));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    assert.ok(statuses.filter((status) => status === 200).length >= 10, statuses.join());
    assert.ok(statuses.includes(429), statuses.join());
    assert.match(await text(`${url}/health`), /"limitCount":2,"inFlightCount":0,"waitingCount":0/);
  },
  'proxy.ts': async ({ url }) => {
    const answers = new Set([await text(`${url}/api/`), await text(`${url}/api/`)]);
    assert.deepEqual(answers, new Set(['answered by red\n', 'answered by green\n']));
  },
  'drain.ts': async (running) => {
    const slow = text(`${running.url}/slow`);
    await text(`${running.url}/`); // the slow one has arrived before this one was answered
    running.process.kill('SIGTERM');
    assert.equal(await slow, 'done\n');
    let last = await running.line();
    while (last.startsWith('drain: ')) last = await running.line();
    assert.equal(JSON.parse(last).outcome, 'clean');
  },
  'express.ts': async ({ url }) => assert.equal(await text(url), 'hello from Express\n'),
  'hono.ts': async ({ url }) => assert.equal(await text(`${url}/sum`, post('{"a":1,"b":5}')), '{"sum":6}'),
  'stream.ts': async ({ url }) => {
    const response = await fetch(`${url}/lines`);
    const first = await response.body?.getReader().read();
    assert.match(Buffer.from(first?.value ?? []).toString(), /^line 1\nline 2\n|^line 1\n/);
  },
  'events.ts': async (running) => {
    const response = await fetch(`${running.url}/ticks`, { headers: { 'last-event-id': '41' } });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    const body = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await body?.read())?.value, 'retry: 500\nid: 42\ndata: {"tick":42}\n\n');
    running.process.kill('SIGTERM');
    assert.equal((await body?.read())?.value, 'event: goodbye\ndata: come again\n\n');
    assert.equal((await body?.read())?.done, true);
  },
  'websocket-echo.ts': async (running) => {
    const socket = new WebSocket(running.url.replace('http', 'ws'));
    const messages: unknown[] = [];
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => {
      socket.send('täxt');
      socket.send(new Uint8Array(2_000_000));
    });
    socket.addEventListener('message', ({ data }) => {
      messages.push(data instanceof ArrayBuffer ? data.byteLength : data);
      if (messages.length === 2) running.process.kill('SIGTERM');
    });
    assert.equal((await closed).code, 1001);
    assert.deepEqual(messages, ['täxt', 2_000_000]);
  },
  'reload.ts': async ({ url }) => {
    assert.equal(await text(url), 'version 1\n');
    await text(`${url}/next`, post(''));
    assert.equal(await text(url), 'version 2\n');
  },
  'layers.ts': async ({ url, line }) => {
    const response = await fetch(url);
    assert.equal(await response.text(), `you are request ${response.headers.get('x-request-id')}\n`);
    assert.equal(JSON.parse(await line()).status, 200);
    assert.equal((await fetch(`${url}/notes`, post(JSON.stringify('x'.repeat(2000))))).status, 413);
  },
};

for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
  test(`examples/${file} does what it says`, async () => {
    const check = CHECKS[file];
    assert.ok(check !== undefined, `examples/${file} needs a check`);
    const running = await start(file);
    try {
      await check(running);
    } finally {
      const { process: child } = running;
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
  });
}
