import { closeSync, openSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Handler } from '../../src/core/handler.ts';
import type { HttpRequest } from '../../src/core/request.ts';
import { serve } from '../../src/server/serve.ts';
import type { Command, ProcessOptions, Reply } from './process.ts';

// A server in a process of its own: starts with the options in argv, and does what its parent says over IPC.

const options: ProcessOptions = JSON.parse(process.argv[2] ?? '{}');
const held: number[] = [];

const handler: Handler = (request: HttpRequest) => {
  const delayMs = Number(request.query.get('delayMs') ?? 0);
  const answer = { status: 200, body: `served ${request.path}\n` };
  return delayMs === 0 ? answer : wait(delayMs).then(() => answer);
};

function tell(reply: Reply): void {
  process.send?.(reply);
}

try {
  const server = await serve({ ...options, handler });
  const run = async (command: Command): Promise<unknown> => {
    switch (command.do) {
      case 'drain':
        return server.drain(command.options);
      case 'drain-blocked': {
        // The event loop stands still while clients connect, so that all of them wait in the accept queue.
        tell({ id: 0, value: 'blocked' });
        const untilMs = performance.now() + command.blockMs;
        while (performance.now() < untilMs);
        return server.drain(command.options);
      }
      case 'status':
        return server.status();
      case 'cpu':
        return process.cpuUsage();
      case 'hold-files': {
        // Takes every descriptor that is left.
        try {
          for (;;) held.push(openSync('/dev/null', 'r'));
        } catch {
          return held.length;
        }
      }
      case 'release-files':
        for (const fd of held.splice(0)) closeSync(fd);
        return null;
    }
  };
  process.on('message', (message: { id: number; command: Command }) => {
    void run(message.command).then((value) => {
      tell({ id: message.id, value });
      if (!message.command.do.startsWith('drain')) return;
      tell({ id: 0, value: server.status().requests });
      // From here on nothing of the server's may keep the process alive.
      process.disconnect?.();
    });
  });
  tell({ id: 0, value: { listeners: server.listeners.map(({ name, address }) => ({ name, address })) } });
} catch (error) {
  tell({ id: 0, value: { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) } });
  process.disconnect?.();
}
