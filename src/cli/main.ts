import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../runtime/problem.ts';
import { checkCommand } from './check.ts';
import { demoCommand } from './demo.ts';
import { proxyCommand } from './proxy.ts';
import { type Done, runCommand } from './run.ts';
import { schemaCommand } from './schema.ts';

/** Wrong usage or configuration. */
const EXIT_USAGE = 2;

/** Runs the command line. Resolves with the exit code: 0, 1 for a failure at run time, 2 for usage or configuration. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const done: Done = (code) => {
    exitCode = code;
  };
  const program = commandLine(done);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    // commander has written its own message; help and version end this way too, with code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_USAGE;
  }
  return exitCode;
}

function commandLine(done: Done): Command {
  const program = new Command('sluice')
    .description('An HTTP server and reverse proxy that never drops a request.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(sluice --help lists the commands and their options)')
    .exitOverride();
  const commands = [runCommand(done), checkCommand(), proxyCommand(done), demoCommand(done), schemaCommand()];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  return program;
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const pack: unknown = JSON.parse(text);
  return typeof pack === 'object' && pack !== null ? String(Reflect.get(pack, 'version')) : 'unknown';
}
