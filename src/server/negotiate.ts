import type { ConnectionRunner } from '../core/runner.ts';
import { http1Runner } from '../protocol/http1/server.ts';
import { http2Runner } from '../protocol/http2/server.ts';
import type { ListenerSettings, ProtocolName } from './options.ts';
import { sniffingRunner } from './sniff.ts';

/** Who speaks each protocol. A protocol is one line here. */
const RUNNERS: Readonly<Record<ProtocolName, (settings: ListenerSettings) => ConnectionRunner>> = {
  http1: ({ limits }) => http1Runner(limits),
  h2: ({ limits, http2 }) => http2Runner(limits, http2),
};

/** Who speaks on a listener's plaintext connections. HTTP/2 there needs no agreement: its first bytes tell. */
export function runnerFor(settings: ListenerSettings): ConnectionRunner {
  const { protocols, runner } = settings;
  if (runner !== undefined) return runner;
  if (protocols.includes('h2') && protocols.includes('http1')) {
    return sniffingRunner(RUNNERS.http1(settings), RUNNERS.h2(settings));
  }
  return RUNNERS[protocols[0] ?? 'http1'](settings);
}

/** What ALPN calls each protocol (RFC 7301 §6, RFC 9113 §3.1). */
const ALPN_NAMES: Readonly<Record<ProtocolName, readonly string[]>> = {
  http1: ['http/1.1', 'http/1.0'],
  h2: ['h2'],
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
