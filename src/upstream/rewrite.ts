import { randomBytes } from 'node:crypto';
import { Failure } from '../core/failure.ts';
import { HeaderFields, HOP_BY_HOP } from '../core/headers.ts';
import { either, isObject, matching, oneOf } from '../core/option-kind.ts';
import { sole } from '../core/options.ts';
import type { HttpRequest, Protocol } from '../core/request.ts';
import { proxyList, TrustedProxies } from '../core/trusted-proxies.ts';
import { FORWARDED_STYLES, type ForwardedStyle, forwardedLines } from './forwarded.ts';

/** How requests and responses change on their way through the proxy. */
export interface RewriteOptions {
  /**
   * Peers whose `x-forwarded-*` and `forwarded` fields are kept and added to: addresses, CIDR ranges, `unix`.
   * What anybody else claims about itself is replaced.
   */
  trustedProxies: readonly string[];
  /** The fields that tell the upstream about the client. */
  forwarded: ForwardedStyle;
  /**
   * The `host` that the upstream sees. `preserve`: the one the client asked for, so that links, cookies and virtual
   * hosts of the upstream are right. `upstream`: the endpoint's own.
   */
  host: 'preserve' | 'upstream' | { readonly value: string };
  /** Our name in `via` (RFC 9110 §7.6.3), by which a loop is found; `null` writes no `via` and finds no loop. */
  via: string | null;
  /** Removed from the front of the path, at a segment boundary; the rest is passed on byte for byte. */
  stripPrefix: string | null;
}

/** What these options may be, where their names and defaults do not tell. */
export const REWRITE_KINDS = {
  trustedProxies: proxyList,
  forwarded: oneOf(FORWARDED_STYLES),
  host: either(
    isObject,
    sole('value', matching('a host', /^[\w.:[\]-]+$/)),
    oneOf(['preserve', 'upstream'], '{ value }'),
  ),
  via: matching('a name of letters, digits, dots and hyphens', /^[\w.-]+$/),
  stripPrefix: matching('a path that begins with a slash and does not end in one', /^\/[\x21-\x7e]*[^/]$/),
};

/** What every request with the same header section and peer shares. */
export interface PassedHead {
  /** End-to-end fields with ours added, without `host`, `content-length` and `expect`. */
  readonly headers: HeaderFields;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectContinue: boolean;
}

// The text is validated field lines, so a line break ends a line and the first colon ends a name.
const HOP = [...HOP_BY_HOP].join('|');
const CLAIMS = 'x-forwarded-[^:\\r\\n]*|forwarded|x-real-ip';
const OWN = 'host|content-length|expect';
// Gateways to CGI-like programs take `_` for `-`, so a field that differs in that alone is the same field.
const lines = (names: string): RegExp => new RegExp(`^(?:${names.replaceAll('-', '[-_]')}):.*\\r\\n`, 'gim');
const NOT_PASSED = lines(`${HOP}|${OWN}|${CLAIMS}`);
/** From a trusted proxy the rest of `x-forwarded-*` is passed; these we write ourselves from what it said. */
const NOT_PASSED_TRUSTED = lines(`${HOP}|${OWN}|x-forwarded-(?:for|proto|host)|forwarded`);
const NOT_IN_TRAILERS = lines(`${HOP}|${OWN}|${CLAIMS}|via|max-forwards|authorization|cookie`);
const NOT_RETURNED = lines(HOP);
/** A `connection` that names more than its own options: those fields are hop-by-hop too. */
const NAMES_FIELDS = /^connection:(?![ \t]*(?:close|keep-alive)?[ \t]*\r\n)/im;
const EXPECTS = /^expect:[ \t]*100-continue[ \t]*\r\n/im;

/** Results that are remembered: clients and upstreams repeat their header sections. Direct-mapped, nothing to evict. */
const REMEMBERED_COUNT = 64;
const OURS = `sluice-${randomBytes(4).toString('hex')}`;
let proxyCount = 0;

interface RememberedRequest {
  readonly fields: HeaderFields;
  readonly address: string;
  readonly secure: boolean;
  readonly authority: string;
  readonly protocol: Protocol;
  readonly passed: PassedHead;
}

interface RememberedResponse {
  readonly fields: HeaderFields;
  readonly protocol: Protocol;
  readonly passed: HeaderFields;
}

/** Every proxy has a name of its own, so that two in one process may stand behind one another. */
export function ownPseudonym(): string {
  proxyCount += 1;
  return `${OURS}-${proxyCount.toString(36)}`;
}

/** The heads of requests and responses as they are passed on. Pure but for its memory. */
export class Rewrite {
  private readonly options: RewriteOptions;
  private readonly trusted: TrustedProxies;
  private readonly loop: RegExp | null;
  private readonly hidden: RegExp | null;
  private readonly requests: (RememberedRequest | undefined)[] = Array.from({ length: REMEMBERED_COUNT });
  private readonly responses: (RememberedResponse | undefined)[] = Array.from({ length: REMEMBERED_COUNT });

  constructor(options: RewriteOptions) {
    const { stripPrefix, via } = options;
    this.options = options;
    this.trusted = new TrustedProxies(options.trustedProxies);
    this.hidden = stripPrefix === null ? null : hiddenPrefix(stripPrefix);
    this.loop =
      via === null
        ? null
        : new RegExp(`^via:(?:.*[ \\t,])?${via.replaceAll('.', '\\.')}[ \\t]*(?:[,(].*)?\\r\\n`, 'im');
  }

  /** Throws `proxy-loop` when the request has been here before. */
  request(request: HttpRequest): PassedHead {
    const { authority, headers: fields, peer, protocol } = request;
    const slot = fields.text.length & (REMEMBERED_COUNT - 1);
    const known = this.requests[slot];
    if (
      known !== undefined &&
      known.fields === fields &&
      known.address === peer.address &&
      known.authority === authority &&
      known.secure === peer.secure &&
      known.protocol === protocol
    ) {
      return known.passed;
    }
    const { address, secure } = peer;
    const passed = this.passRequest(request);
    this.requests[slot] = { fields, address, secure, authority, protocol, passed };
    return passed;
  }

  /** The fields of a response that came over `protocol`. */
  response(fields: HeaderFields, protocol: Protocol): HeaderFields {
    const slot = fields.text.length & (REMEMBERED_COUNT - 1);
    const known = this.responses[slot];
    if (known !== undefined && known.fields === fields && known.protocol === protocol) return known.passed;
    const passed = HeaderFields.fromText(endToEnd(fields).replace(NOT_RETURNED, '') + this.viaLine(protocol));
    this.responses[slot] = { fields, protocol, passed };
    return passed;
  }

  /** The target for the upstream. */
  target(target: string): string {
    const { stripPrefix } = this.options;
    if (stripPrefix === null) return target;
    if (!target.startsWith(stripPrefix)) {
      // A route compares the path with dot segments and escapes resolved. Passing on a target that only then has the
      // prefix would reach another place than the route has meant.
      if (this.hidden?.test(target) === true) throw new Failure('target-invalid', 'Its path is not in normal form.');
      return target;
    }
    const rest = target.slice(stripPrefix.length);
    if (rest === '') return '/';
    if (rest.startsWith('?')) return `/${rest}`;
    return rest.startsWith('/') ? rest : target;
  }

  /** The `host` for an endpoint. A client that named none (HTTP/1.0) gets the endpoint's. */
  authority(asked: string, endpointAuthority: string): string {
    const { host } = this.options;
    if (host === 'preserve') return asked === '' ? endpointAuthority : asked;
    return host === 'upstream' ? endpointAuthority : host.value;
  }

  private passRequest(request: HttpRequest): PassedHead {
    const { headers: fields } = request;
    const { text } = fields;
    if (this.loop?.test(text) === true) throw new Failure('proxy-loop');
    const trusted = this.trusted.has(request.peer.address);
    const kept = endToEnd(fields).replace(trusted ? NOT_PASSED_TRUSTED : NOT_PASSED, '');
    const told = forwardedLines(request, this.options.forwarded, trusted);
    return {
      headers: HeaderFields.fromText(kept + told + this.viaLine(request.protocol)),
      expectContinue: request.protocol !== 'HTTP/1.0' && EXPECTS.test(text),
    };
  }

  private viaLine(protocol: Protocol): string {
    const { via } = this.options;
    if (via === null) return '';
    return `via: ${protocol === 'HTTP/2' ? '2.0' : protocol.slice(5)} ${via}\r\n`;
  }
}

/**
 * The trailers of a request as they are passed on. What decides who asks and whether they may must come before the
 * body (RFC 9110 §6.5.1): a server that merges trailers would believe what nobody has looked at.
 */
export function passedTrailers(trailers: HeaderFields): HeaderFields {
  return HeaderFields.fromText(trailers.text.replace(NOT_IN_TRAILERS, ''));
}

/** Targets without the prefix that may have it once escapes, dot segments and empty segments are resolved. */
function hiddenPrefix(prefix: string): RegExp {
  const further = prefix.split('/').length - 2;
  return new RegExp(`^(?:/[^/?%]*){0,${further}}/[^/?%]*%|^[^?]*(?://|/\\.\\.?(?:[/?]|$)|/%2e)`, 'i');
}

/** The text without fields that `connection` names; its own and other known hop-by-hop fields may still be there. */
function endToEnd(fields: HeaderFields): string {
  return NAMES_FIELDS.test(fields.text) ? fields.endToEnd.text : fields.text;
}

/**
 * Whether a request with `max-forwards` may go further (RFC 9110 §7.6.2), and the fields it goes with: one hop less.
 * `null`: it ends here. Other methods than OPTIONS and TRACE pass the field on untouched.
 */
export function oneHopLess(method: string, headers: HeaderFields): HeaderFields | null {
  if (method !== 'OPTIONS' && method !== 'TRACE') return headers;
  const left = headers.get('max-forwards');
  if (left === null || !/^[0-9]{1,9}$/.test(left)) return headers;
  return left === '0' || Number(left) === 0 ? null : headers.with('max-forwards', String(Number(left) - 1));
}
