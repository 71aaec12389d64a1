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

/** What ALPN calls each protocol (RFC 7301 §6, RFC 9113 §3.1). */
const ALPN_NAMES: Readonly<Record<ProtocolName, readonly string[]>> = {
  http1: ['http/1.1', 'http/1.0'],
};

/** The names a listener offers in ALPN, best first. */
export const alpnNames = ({ protocols }: ListenerSettings): string[] =>
  protocols.flatMap((protocol) => ALPN_NAMES[protocol]);

/** Who speaks what ALPN has agreed on. Clients without ALPN speak HTTP/1.1; `null` when that is not offered. */
export function alpnRunners(settings: ListenerSettings): (name: string | null) => ConnectionRunner | null {
  const { runner, protocols } = settings;
  if (runner !== undefined) return () => runner;
  const runners = new Map(
    protocols.flatMap((protocol) => {
      const speaker = RUNNERS[protocol](settings);
      return ALPN_NAMES[protocol].map((name) => [name, speaker] as const);
    }),
  );
  return (name) => runners.get(name ?? 'http/1.1') ?? null;
}
