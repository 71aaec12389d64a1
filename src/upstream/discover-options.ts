import { isIP } from 'node:net';
import { listOf, readable } from '../core/option-kind.ts';
import { type OptionRules, part, withDefaults } from '../core/options.ts';
import { type Discovery, isDiscovery } from './discover.ts';

/** Where endpoints are looked for: `dns` or `srv`. */
export interface DiscoverOptions {
  /** `host:port`: each address of the host (A and AAAA) is an endpoint. */
  dns: string | null;
  /** `_service._proto.name`: each address of each server that is named there (SRV, RFC 2782) is an endpoint. */
  srv: string | null;
  /** They speak TLS, with certificates for the names that they were found by. */
  secure: boolean;
  /** How often it is looked again; sooner where an answer does not last so long, but at most once a second. */
  refreshMs: number;
  /** How long a name server may take before it is asked once more, or the next one is. */
  timeoutMs: number;
  /** The name servers, as `address` or `address:port`; empty: those of the system. */
  servers: readonly string[];
}

export const DISCOVER_DEFAULTS: Readonly<DiscoverOptions> = {
  dns: null,
  srv: null,
  secure: false,
  refreshMs: 5000,
  timeoutMs: 2000,
  servers: [],
};

/** A host and the port of its servers. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** A host name (RFC 1123 §2.1); underscores are met in practice. */
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;
const SERVICE = /^_[a-z0-9-]+\._[a-z0-9-]+\.(?<name>.+)$/i;

/** Whether a name may stand in a `host` field and be looked up. */
export const isHostName = (name: string): boolean => NAME.test(name);

/** Reads `host:port`. Throws a `TypeError` that says what is wrong with it. */
export function readHostAndPort(given: string): HostAndPort {
  const { host = '', port = '' } = /^(?<host>.*):(?<port>[0-9]{1,5})$/.exec(given)?.groups ?? {};
  if (isIP(host) !== 0 || isIP(host.replace(/^\[|\]$/g, '')) !== 0) {
    throw new TypeError(`${given} is an address already: put it into endpoints`);
  }
  const number = Number(port);
  if (!isHostName(host) || number < 1 || number > 65_535) {
    throw new TypeError(`${JSON.stringify(given)} is not host:port, such as api.internal:3000`);
  }
  return { host, port: number };
}

/** Reads `_service._proto.name`. Throws a `TypeError` that says what is wrong with it. */
export function readService(given: string): string {
  const name = SERVICE.exec(given)?.groups?.name;
  if (name === undefined || !isHostName(name)) {
    throw new TypeError(`${JSON.stringify(given)} is not a service such as _http._tcp.api.internal`);
  }
  return given;
}

/** Reads a name server. Throws a `TypeError` that says what is wrong with it. */
export function readNameServer(given: string): string {
  const { address = given, port = '53' } =
    /^(?:\[(?<address>[^\]]+)\]|(?<address>[^:]+)):(?<port>[0-9]{1,5})$/.exec(given)?.groups ?? {};
  const number = Number(port);
  if (isIP(address) !== 0 && number >= 1 && number <= 65_535) return given;
  throw new TypeError(`${JSON.stringify(given)} is not an address such as 10.0.0.2 or 10.0.0.2:53`);
}

/** Whether both look for the same endpoints, wherever and however often. */
export function findsTheSame(one: DiscoverOptions | Discovery, other: DiscoverOptions | Discovery | null): boolean {
  if (other === null || isDiscovery(one) || isDiscovery(other)) return one === other;
  return one.dns === other.dns && one.srv === other.srv && one.secure === other.secure;
}

const RULES: OptionRules<DiscoverOptions> = {
  kinds: { dns: readable(readHostAndPort), srv: readable(readService), servers: listOf(readable(readNameServer)) },
  relations: [
    {
      of: ['dns', 'srv'],
      fault: ({ dns, srv }) => ((dns === null) === (srv === null) ? 'give either dns or srv' : null),
    },
  ],
};

/** Fills it up. Throws `TypeError` naming every wrong field. */
export const discoverSettings = (given: Partial<DiscoverOptions>): DiscoverOptions =>
  withDefaults('discover', DISCOVER_DEFAULTS, given, RULES);

/** What may be given. */
export const discoverKind = part((given) => isDiscovery(given) || discoverSettings(given));
