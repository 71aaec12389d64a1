import { Command } from 'commander';
import { checkConfig } from '../runtime/config.ts';
import { runProgram } from '../runtime/program.ts';
import { type Server, serve } from '../server/serve.ts';
import { demoPage } from './demo-page.ts';
import { demoUpstream } from './demo-upstream.ts';
import { LISTEN, listenArgument } from './proxy.ts';
import type { Done } from './run.ts';

/** The two upstreams behind the demo's proxy. */
const UPSTREAMS = ['red', 'blue'];

/** `sluice demo` */
export function demoCommand(done: Done): Command {
  return new Command('demo')
    .description('a page, a proxy and two upstreams to try, nothing to install')
    .option('--listen <address>', 'host:port', listenArgument, LISTEN)
    .action(async ({ listen }: { listen: string }) => done(await runDemo(listen)));
}

async function runDemo(listen: string): Promise<number> {
  const upstreams = await Promise.all(
    UPSTREAMS.map((name) => serve({ name, listeners: [{ name, bind: '127.0.0.1:0' }], handler: demoUpstream(name) })),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(upstreams.map((server) => server.shutdown()));
  };
  const loaded = checkConfig('demo', demoConfig(listen, upstreams), process.cwd());
  const code = await runProgram({
    load: () => Promise.resolve(loaded),
    ready: ([origin]) => process.stderr.write(`open ${origin}/ in a browser, or: curl ${origin}/hello\n`),
    stopped: stop,
  });
  if (upstreams.some((server) => server.status().phase === 'accepting')) await stop();
  return code;
}

function demoConfig(listen: string, upstreams: readonly Server[]) {
  const endpoints = upstreams.map((server) => `http://127.0.0.1:${server.listeners[0]?.address.port}`);
  return {
    listeners: [{ name: 'demo', bind: listen }],
    routes: [
      {
        match: { path: '/' },
        respond: { headers: { 'content-type': 'text/html; charset=utf-8' }, body: demoPage(`http://${listen}`) },
      },
      { match: { path: '/hello' }, respond: { body: 'Hello from Sluice!\n' } },
      { match: { path: '/api/*' }, proxy: { upstream: 'colors' } },
      { match: { path: '/old/*' }, redirect: { location: 'https://example.com{uri}' } },
    ],
    upstreams: [{ name: 'colors', endpoints }],
    logs: { access: true },
  };
}
