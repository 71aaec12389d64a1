import { faultsOf, kind, type OptionKind, positive, shown, text, wrongOptions } from '../core/option-kind.ts';
import { type OptionRules, required, withDefaults } from '../core/options.ts';
import type { EndpointTraits } from './endpoint.ts';
import { type EndpointAddress, endpointAddress } from './endpoint-address.ts';

/** An endpoint: its URL (`http://host:port`, `https://host:port`, or `unix:/path`), and what is said of it. */
export type EndpointSource = string | EndpointOptions;

export interface EndpointOptions extends Partial<EndpointTraits> {
  readonly url: string;
  /** What it is called, where the URL has its address: for the `host` of requests, and the name in its certificate. */
  readonly host?: string;
}

export const TRAIT_DEFAULTS: Readonly<EndpointTraits> = { weight: 1, zone: '', priority: 0 };

/** An endpoint as it was given, read and checked. */
export interface Member {
  readonly address: EndpointAddress;
  readonly traits: EndpointTraits;
}

type Described = EndpointTraits & { readonly url: string; readonly host: string | null };

const DESCRIBED: Readonly<Described> = { url: '', host: null, ...TRAIT_DEFAULTS };
const RULES: OptionRules<Described> = {
  kinds: {
    host: text,
    weight: positive,
    priority: kind('a whole number, 0 or more', (value) => Number.isSafeInteger(value) && Number(value) >= 0),
  },
  relations: [required('url', 'a URL such as http://127.0.0.1:3000')],
};

/** Reads endpoints. Throws a `TypeError` that names all which cannot be reached as given, or are given twice. */
export function readMembers(sources: readonly EndpointSource[]): Map<string, Member> {
  const members = new Map<string, Member>();
  const faults = addMembers(members, sources);
  if (faults.length > 0) throw wrongOptions('upstream: endpoints', faults);
  return members;
}

/** The option that names them. */
export const endpointList: OptionKind = {
  want: 'a list of endpoints',
  faults: (value) => addMembers(new Map(), value),
};

/** What is wrong with those that cannot be added. */
function addMembers(members: Map<string, Member>, sources: unknown): readonly string[] {
  if (!Array.isArray(sources)) return [`${shown(sources)} is not a list of endpoints`];
  return sources.flatMap((source: EndpointSource, index) =>
    faultsOf(() => addMember(members, source)).map((fault) => `[${index}]: ${fault}`),
  );
}

function addMember(members: Map<string, Member>, source: EndpointSource): void {
  const member = typeof source === 'string' ? plainMember(source) : describedMember(source);
  const { url } = member.address;
  if (members.has(url)) throw new TypeError(`${url} is given twice`);
  members.set(url, member);
}

const plainMember = (url: string): Member => ({ address: endpointAddress(url), traits: TRAIT_DEFAULTS });

function describedMember(source: EndpointOptions): Member {
  const { url, host, ...traits } = withDefaults<Described>('endpoint', DESCRIBED, source, RULES);
  return { address: endpointAddress(url, host), traits };
}
