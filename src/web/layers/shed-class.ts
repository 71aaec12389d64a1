import { fieldName, functionOr, oneOf } from '../../core/option-kind.ts';
import type { HttpRequest, RequestClass } from '../../core/request.ts';
import { proxyList, TrustedProxies } from '../../core/trusted-proxies.ts';
import { SHED_CLASSES } from '../../policy/shedding.ts';

/** How important requests are when not all can be served. */
export interface ClassOptions {
  /**
   * The class of all requests here, or a function that tells it. `null` is for what must not be refused, health checks and
   * administration: the layer lets it pass and takes no notice.
   */
  class: RequestClass | null | ((request: HttpRequest) => RequestClass | null);
  /** A field in which trusted proxies name another class; `null` is none. From anybody else it means nothing. */
  classHeader: string | null;
  /** Whose word counts: addresses, CIDR ranges, and `unix` for unix sockets. */
  trustedProxies: readonly string[];
}

/** What these options may be. */
export const CLASS_KINDS = {
  class: functionOr(oneOf(SHED_CLASSES)),
  classHeader: fieldName,
  trustedProxies: proxyList,
};

/** How the class of a request is found out. */
export function classReader(options: ClassOptions): (request: HttpRequest) => RequestClass | null {
  const { class: given, classHeader, trustedProxies } = options;
  const own = typeof given === 'function' ? given : () => given;
  const usual = (request: HttpRequest): RequestClass | null =>
    request.limitClass === undefined ? own(request) : request.limitClass;
  if (classHeader === null) return usual;
  const trusted = new TrustedProxies(trustedProxies);
  return (request) => {
    // What its route keeps from being refused, no field makes less important.
    if (request.limitClass === null) return null;
    const told = trusted.has(request.peer.address) ? request.headers.get(classHeader) : null;
    return told !== null && isClass(told) ? told : usual(request);
  };
}

function isClass(text: string): text is RequestClass {
  return SHED_CLASSES.some((known) => known === text);
}
