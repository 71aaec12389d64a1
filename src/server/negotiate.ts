import type { ConnectionRunner } from '../core/runner.ts';
import { http1Runner } from '../protocol/http1/server.ts';
import type { ListenerSettings } from './options.ts';

/** Which protocol a listener's connections speak. A protocol is one line here. */
export function runnerFor(settings: ListenerSettings): ConnectionRunner {
  return settings.runner ?? http1Runner(settings.limits);
}
