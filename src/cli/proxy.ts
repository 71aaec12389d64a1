import { Command } from 'commander';
import { checkConfig } from '../runtime/config.ts';
import { runProgram } from '../runtime/program.ts';
import { parseBind } from '../server/bind.ts';
import { endpointAddress } from '../upstream/endpoint-address.ts';
import { argument } from './argument.ts';
import type { Done } from './run.ts';

/** Where `proxy` and `demo` listen when nothing else is said. */
export const LISTEN = '127.0.0.1:8080';

/** `--listen`, read the same way by every command. */
export const listenArgument = argument('--listen', parseBind);

const toArgument = argument('--to', endpointAddress);

/** `sluice proxy --listen <address> --to <url>` */
export function proxyCommand(done: Done): Command {
  return new Command('proxy')
    .description('pass requests on to one or more upstreams, without a configuration')
    .option('--listen <address>', 'host:port, [v6]:port or unix:/path', listenArgument, LISTEN)
    .requiredOption(
      '--to <url>',
      'an upstream, such as http://127.0.0.1:3000; repeat it for more, they take turns',
      (url: string, before: readonly string[] | undefined) => [...(before ?? []), toArgument(url)],
    )
    .action(async ({ listen, to }: { listen: string; to: string[] }) => {
      const data = {
        listeners: [{ name: 'proxy', bind: listen }],
        routes: [{ proxy: { upstream: 'to' } }],
        upstreams: [{ name: 'to', endpoints: to }],
      };
      const loaded = checkConfig('command line', data, process.cwd());
      done(await runProgram({ load: () => Promise.resolve(loaded) }));
    });
}
