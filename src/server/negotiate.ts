import type { ConnectionRunner } from '../core/runner.ts';
import { http1Runner } from '../protocol/http1/server.ts';
import type { ListenerSettings, ProtocolName } from './options.ts';

/** Who speaks each protocol. A protocol is one line here. */
const RUNNERS: Readonly<Record<ProtocolName, (settings: ListenerSettings) => ConnectionRunner>> = {
  http1: ({ limits }) => http1Runner(limits),
};

/** Who speaks on a listener's connections. */
export function runnerFor(settings: ListenerSettings): ConnectionRunner {
  const [protocol = 'http1'] = settings.protocols;
  return settings.runner ?? RUNNERS[protocol](settings);
}
