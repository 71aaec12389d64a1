import type { Measured } from '../core/metrics.ts';
import { adminHandler } from '../ops/admin.ts';
import { type Server, serve } from '../server/serve.ts';
import type { Assembly } from './assemble.ts';
import type { LoadedConfig } from './config.ts';
import { absolute } from './folder.ts';

/** For scrapers and an operator's browser. Who says nothing is gone soon, so that health can be asked for. */
const LIMITS = {
  connectionMaxCount: 1000,
  connectionPerPeerMaxCount: null,
  headTimeoutMs: 5000,
  idleTimeoutMs: 15_000,
};

/** What an admin listener shows: the server, and the assembly that is in force when it is asked. */
export interface Shown {
  readonly server: Server;
  readonly assembly: Assembly;
}

/** Opens the listener for operators; `null` when the configuration has none. Rejects as `serve` does. */
export async function openAdmin({ config, folder }: LoadedConfig, shown: () => Shown): Promise<Server | null> {
  if (config.admin === undefined) return null;
  const handler = adminHandler({
    sources: () => sources(shown()),
    status: () => status(shown()),
    ready: () => {
      const { phase, noticed, drain } = shown().server.status();
      return phase === 'accepting' && !noticed && drain === null;
    },
  });
  const bind = absolute(config.admin.bind, folder);
  return serve({ name: 'admin', listeners: [{ name: 'admin', bind, limits: LIMITS }], handler });
}

function* sources({ server, assembly }: Shown): Generator<Measured> {
  yield server;
  for (const { group } of assembly.upstreams.values()) yield group;
  for (const { layer, place } of assembly.limits.values()) yield { measure: (take) => layer.measure(take, place) };
}

function status({ server, assembly }: Shown): unknown {
  return {
    ...server.info(),
    ...server.status(),
    upstreams: [...assembly.upstreams.values()].map(({ group }) => group.status()),
    limits: [...assembly.limits.values()].map(({ kind, name, place, layer }) => ({
      layer: kind,
      name,
      place,
      ...layer.status(),
    })),
  };
}
