import { Command } from 'commander';
import { LOG_DEFAULTS, Log } from '../ops/log.ts';
import { assemble } from '../runtime/assemble.ts';
import { loadConfig } from '../runtime/config.ts';
import { CONFIG_FILE } from './run.ts';

/** `sluice check [config]` */
export function checkCommand(): Command {
  return new Command('check')
    .description('check a configuration and start nothing')
    .argument('[config]', 'the configuration file', CONFIG_FILE)
    .action(async (file: string) => {
      const loaded = await loadConfig(file, process.env);
      const assembly = assemble(loaded, new Log(LOG_DEFAULTS));
      assembly.discard();
      const { config, warnings } = loaded;
      if (warnings !== '') process.stderr.write(`${warnings}\n`);
      for (const warning of assembly.warnings) process.stderr.write(`${file}: warning: ${warning}\n`);
      const parts = [
        counted(config.listeners.length, 'listener'),
        counted(config.routes.length, 'route'),
        counted(config.upstreams?.length ?? 0, 'upstream'),
      ];
      process.stdout.write(`${file}: ok (${parts.join(', ')})\n`);
    });
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
