import { TlsServer, UpstreamTls } from '../transport/upstream-tls.ts';
import { Endpoint, type EndpointTraits } from './endpoint.ts';
import { type EndpointAddress, endpointAddress } from './endpoint-address.ts';
import { type EndpointSource, TRAIT_DEFAULTS, type UpstreamSettings } from './options.ts';
import type { Judge } from './standing.ts';
import { Standing } from './standing.ts';

/** An endpoint as it was given, read and checked. */
export interface Member {
  readonly address: EndpointAddress;
  readonly traits: EndpointTraits;
}

/** Reads endpoints. Throws `TypeError` when one cannot be reached as given, or is given twice. */
export function readMembers(sources: readonly EndpointSource[]): Map<string, Member> {
  const members = new Map<string, Member>();
  for (const source of sources) {
    const { url, ...given } = typeof source === 'string' ? { url: source } : source;
    const address = endpointAddress(url);
    if (members.has(address.url)) throw new TypeError(`upstream: endpoint ${address.url} is given twice`);
    members.set(address.url, { address, traits: readTraits(address.url, given) });
  }
  return members;
}

function readTraits(url: string, given: Partial<EndpointTraits>): EndpointTraits {
  const traits = { ...TRAIT_DEFAULTS, ...given };
  const { weight, zone, priority } = traits;
  const wrong = [
    ...(Number.isFinite(weight) && weight > 0 ? [] : ['weight: give a number above 0']),
    ...(typeof zone === 'string' ? [] : ['zone: give a name']),
    ...(Number.isInteger(priority) && priority >= 0 ? [] : ['priority: give a whole number, 0 or more']),
    ...Object.keys(given)
      .filter((name) => !(name in TRAIT_DEFAULTS))
      .map((name) => `${name}: no such option`),
  ];
  if (wrong.length > 0) throw new TypeError(`upstream: endpoint ${url}: ${wrong.join('; ')}`);
  return traits;
}

/** Makes endpoints of one upstream. */
export class EndpointFactory {
  private readonly settings: UpstreamSettings;
  private readonly judge: Judge;
  private tls: UpstreamTls | null = null;

  constructor(settings: UpstreamSettings, judge: Judge) {
    this.settings = settings;
    this.judge = judge;
  }

  /** `onChange`: it stands otherwise than before. Throws `TypeError` when its TLS settings cannot be used. */
  make({ address, traits }: Member, onChange: (endpoint: Endpoint) => void): Endpoint {
    const { protocol } = this.settings;
    const h2 = protocol === 'http1' ? [] : ['h2'];
    const secure = address.secureHost !== null;
    const offered = protocol === 'h2' ? h2 : [...h2, 'http/1.1'];
    const tls = address.secureHost === null ? null : new TlsServer(this.tlsSettings(), address.secureHost, offered);
    const multiplexes = secure ? h2.length > 0 : protocol === 'h2';
    const standing = new Standing(this.judge, () => onChange(endpoint));
    const endpoint: Endpoint = new Endpoint(address, tls, multiplexes, traits, standing);
    return endpoint;
  }

  private tlsSettings(): UpstreamTls {
    const { name, tls } = this.settings;
    this.tls ??= new UpstreamTls(name === '' ? 'upstream: tls' : `upstream ${name}: tls`, tls);
    return this.tls;
  }
}
