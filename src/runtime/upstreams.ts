import type { Layer } from '../core/handler.ts';
import { readPem } from '../transport/pem.ts';
import { type UpstreamGroup, upstream } from '../upstream/group.ts';
import { absolute } from './folder.ts';
import type { LayerMaker } from './layers.ts';
import type { Config } from './schema.ts';

type UpstreamConfig = NonNullable<Config['upstreams']>[number];
type UpstreamTlsConfig = NonNullable<UpstreamConfig['tls']>;

/** An upstream, and what it was made from. */
export interface AssembledUpstream {
  readonly group: UpstreamGroup;
  /** Its settings but for the endpoints. */
  readonly settings: string;
  readonly endpoints: string;
  /** What requests to it pass through, whichever route they came by. */
  readonly layer: Layer | null;
}

/**
 * The upstreams of a configuration. One that `previous` has with the same settings is carried over, with its connections,
 * and where its endpoints are others it is told of them; of one that is made anew, what was known of its endpoints is
 * taken over. Both happen not before `goLive`, so that a configuration that is given up has changed nothing.
 */
export class UpstreamSet {
  readonly byName: ReadonlyMap<string, AssembledUpstream>;
  private readonly made: UpstreamGroup[] = [];
  private readonly changes: (() => void)[] = [];

  /** Throws `TypeError` on what cannot work. */
  constructor(
    configs: readonly UpstreamConfig[],
    folder: string,
    layers: LayerMaker,
    previous: ReadonlyMap<string, AssembledUpstream> | undefined,
  ) {
    try {
      this.byName = new Map(
        configs.map((config) => [config.name, this.assemble(config, folder, layers, previous?.get(config.name))]),
      );
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  private assemble(
    { endpoints: given = [], layers, ...config }: UpstreamConfig,
    folder: string,
    maker: LayerMaker,
    before: AssembledUpstream | undefined,
  ): AssembledUpstream {
    const endpoints = given.map((one) =>
      typeof one === 'string' ? absolute(one, folder) : { ...one, url: absolute(one.url, folder) },
    );
    const tls = config.tls === undefined ? {} : { tls: readTls(config.name, config.tls, folder) };
    const options = { ...config, ...tls };
    const settings = JSON.stringify(options);
    const described = JSON.stringify(endpoints);
    const layer = maker.stacked(layers, { identity: `upstream ${config.name}`, name: `upstream ${config.name}` });
    if (before?.settings === settings) {
      if (before.endpoints !== described) this.changes.push(before.group.plan(endpoints));
      return { group: before.group, settings, endpoints: described, layer };
    }
    const group = upstream({ ...options, endpoints });
    this.made.push(group);
    if (before !== undefined) this.changes.push(() => group.adopt(before.group));
    return { group, settings, endpoints: described, layer };
  }

  /** The configuration is in force from now on. Once. */
  goLive(): void {
    for (const change of this.changes) change();
  }

  /** The configuration will never be in force: what was made for it is closed. */
  discard(): void {
    for (const group of this.made) group.close();
  }
}

/** Reads the certificates, so that a reload after one has been renewed makes the upstream anew. */
function readTls(upstreamName: string, tls: UpstreamTlsConfig, folder: string): UpstreamTlsConfig {
  const read = { ...tls };
  for (const name of ['ca', 'cert', 'key'] as const) {
    const source = tls[name];
    if (source !== undefined) read[name] = readPem(`upstream ${upstreamName}: tls: ${name}`, source, folder);
  }
  return read;
}
