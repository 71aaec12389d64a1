import { BlockList, isIP } from 'node:net';
import { kind, listOf } from './option-kind.ts';

/** Verdicts that are remembered; past it the memory starts anew, so that many peers cannot fill it. */
const REMEMBERED_MAX_COUNT = 4096;

/** The proxies whose word about the client is believed: addresses, CIDR ranges, and `unix` for unix sockets. */
export class TrustedProxies {
  private readonly ranges = new BlockList();
  private readonly unix: boolean;
  private readonly empty: boolean;
  private readonly verdicts = new Map<string, boolean>();

  /** Throws a `TypeError` that names every entry which is neither an address nor a range. */
  constructor(entries: readonly string[]) {
    const wrong = entries.filter((entry) => entry !== 'unix' && !addRange(this.ranges, entry));
    if (wrong.length > 0) {
      throw new TypeError(`trustedProxies: not an IP address or CIDR range: ${wrong.join(', ')}`);
    }
    this.unix = entries.includes('unix');
    this.empty = entries.length === 0;
  }

  /** Whether a peer with this address is one of them. */
  has(address: string): boolean {
    if (this.empty) return false;
    const known = this.verdicts.get(address);
    if (known !== undefined) return known;
    const version = isIP(address);
    const verdict =
      version === 0
        ? this.unix && address.startsWith('unix:')
        : this.ranges.check(address, version === 4 ? 'ipv4' : 'ipv6');
    if (this.verdicts.size >= REMEMBERED_MAX_COUNT) this.verdicts.clear();
    this.verdicts.set(address, verdict);
    return verdict;
  }
}

/** One of them, as an option may name it. */
export const proxyEntry = kind(
  'an IP address, a CIDR range or unix',
  (entry) => typeof entry === 'string' && (entry === 'unix' || addRange(new BlockList(), entry)),
);

/** The option that names them. */
export const proxyList = listOf(proxyEntry, 'a list of addresses and CIDR ranges');

function addRange(ranges: BlockList, entry: string): boolean {
  const [address = '', prefix, ...more] = entry.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  const type = version === 4 ? 'ipv4' : 'ipv6';
  if (prefix === undefined) {
    ranges.addAddress(address, type);
    return true;
  }
  const bits = Number(prefix);
  if (!/^[0-9]{1,3}$/.test(prefix) || bits > (version === 4 ? 32 : 128)) return false;
  ranges.addSubnet(address, bits, type);
  return true;
}
