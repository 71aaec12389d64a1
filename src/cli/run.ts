import { Command } from 'commander';
import { loadConfig } from '../runtime/config.ts';
import { runProgram } from '../runtime/program.ts';

/** Called by a command with the exit code of the program. */
export type Done = (code: number) => void;

/** The configuration that is used when none is named. */
export const CONFIG_FILE = 'sluice.yaml';

/** `sluice run [config]` */
export function runCommand(done: Done): Command {
  return new Command('run')
    .description('serve as a configuration says; SIGTERM, SIGINT and SIGQUIT drain, SIGHUP reloads')
    .argument('[config]', 'the configuration file: YAML, JSON, or a module (.ts, .js)', CONFIG_FILE)
    .action(async (file: string) => done(await runProgram({ load: () => loadConfig(file, process.env) })));
}
