import type { BodyMode, Handler, Layer } from '../core/handler.ts';
import { buffered, stack, withBodyMode } from '../core/handler.ts';
import { didYouMean } from '../core/spelling.ts';
import type { HostPattern } from './host.ts';
import { parseHost } from './host.ts';
import { checkMethods } from './method.ts';
import type { PathPattern } from './pattern.ts';
import { joinPatterns, parsePattern, parsePrefix } from './pattern.ts';

/** What a route may be given besides its handler. */
export interface RouteOptions {
  /** Becomes `request.state`. */
  readonly state?: unknown;
  /** When the body is read; the handler's own mode is used when this is left out, then the router's. */
  readonly body?: BodyMode | undefined;
  /** Layers for this route only, outermost first; inside those of its router. */
  readonly layers?: readonly Layer[] | undefined;
}

/** Answers what no route took, inside the layers of the router whose paths those are. */
export type Refuse = Handler;

/** A route with everything above it worked in. */
export interface FlatRoute {
  readonly host: HostPattern;
  readonly pattern: PathPattern;
  /** `null`: every method but CONNECT. */
  readonly methods: readonly string[] | null;
  /** Layered; reads the body when it should. */
  readonly handler: Handler;
  readonly state: unknown;
  readonly refuse: Refuse;
}

/** Paths that belong to a mounted router with layers of its own, also where it has no route. */
interface FlatScope {
  readonly host: HostPattern;
  readonly patterns: readonly PathPattern[];
  readonly refuse: Refuse;
}

/** All routes below a router. */
export interface FlatTable {
  readonly routes: FlatRoute[];
  readonly scopes: FlatScope[];
}

interface Entry {
  readonly methods: readonly string[] | null;
  readonly path: string;
  readonly handler: Handler;
  readonly options: RouteOptions;
}

interface Place {
  readonly host: HostPattern;
  readonly prefix: string;
  readonly layers: readonly Layer[];
  readonly body: BodyMode;
  readonly refuse: Refuse;
  /** The tables on the way here, against mounting in a circle. */
  readonly above: readonly RouteTable[];
}

const ANY_HOST = parseHost('*');
const OPTION_NAMES = ['state', 'body', 'layers'];

/** What a router has been told, before it is compiled. */
export class RouteTable {
  readonly layers: Layer[] = [];
  /** It answers requests already, so nothing may be added. */
  sealed = false;
  private readonly body: BodyMode | null;
  private readonly entries: Entry[] = [];
  private readonly mounts: { readonly prefix: string; readonly table: RouteTable }[] = [];
  private readonly hosts: { readonly host: HostPattern; readonly table: RouteTable }[] = [];

  /** `body` is for routes that do not say; `null` leaves it to the router this one is mounted in, then `auto`. */
  constructor(body: BodyMode | null) {
    this.body = body;
  }

  add(methods: readonly string[] | null, path: string, handler: Handler, options: RouteOptions = {}): void {
    this.open();
    if (methods !== null) checkMethods(methods);
    parsePattern(path);
    if (typeof handler !== 'function') throw new TypeError(`route ${path}: the handler is not a function`);
    checkRouteOptions(path, options);
    this.entries.push({ methods, path, handler, options });
  }

  mount(prefix: string, table: RouteTable): void {
    this.open();
    this.mounts.push({ prefix: parsePrefix(prefix), table });
  }

  /** Every path at and below the prefix, every method, path unchanged. */
  mountHandler(prefix: string, handler: Handler): void {
    const path = parsePrefix(prefix);
    if (path !== '') this.add(null, path, handler);
    this.add(null, `${path}/*`, handler);
  }

  host(pattern: string, table: RouteTable): void {
    this.open();
    this.hosts.push({ host: parseHost(pattern), table });
  }

  use(layers: readonly Layer[]): void {
    this.open();
    for (const layer of layers) if (typeof layer !== 'function') throw new TypeError('use: a layer is not a function');
    this.layers.push(...layers);
  }

  /**
   * Every route below. `refuse` answers what no route takes. This table's own layers are left out: they are put
   * around the whole.
   */
  flatten(refuse: Refuse): FlatTable {
    const flat: FlatTable = { routes: [], scopes: [] };
    this.flattenInto(flat, { host: ANY_HOST, prefix: '', layers: [], body: 'auto', refuse, above: [] }, refuse);
    return flat;
  }

  /** Nothing may be added from now on, here and below. */
  seal(): void {
    this.sealed = true;
    for (const { table } of [...this.mounts, ...this.hosts]) table.seal();
  }

  private flattenInto(flat: FlatTable, given: Place, refuse: Refuse): void {
    if (given.above.includes(this)) throw new TypeError('a router is mounted in itself');
    const place: Place = { ...given, body: this.body ?? given.body, above: [...given.above, this] };
    for (const entry of this.entries) flat.routes.push(flatRoute(entry, place));
    for (const { prefix, table } of this.mounts) {
      table.flattenBelow(flat, { ...place, prefix: prefix === '' ? place.prefix : place.prefix + prefix }, refuse);
    }
    for (const { host, table } of this.hosts) {
      if (place.host.kind !== 'any') throw new TypeError('a host inside a host: one of them would never match');
      table.flattenBelow(flat, { ...place, host }, refuse);
    }
  }

  private flattenBelow(flat: FlatTable, place: Place, refuse: Refuse): void {
    if (this.layers.length === 0) {
      this.flattenInto(flat, place, refuse);
      return;
    }
    const layers = [...place.layers, ...this.layers];
    const own = stack(...layers)(withBodyMode(refuse, 'manual'));
    const patterns = [parsePattern(`${place.prefix}/*`)];
    if (place.prefix !== '') patterns.push(parsePattern(place.prefix));
    // A router at the root of every host shares it with others, so what nobody takes there is not its own.
    if (place.prefix !== '' || place.host.kind !== 'any') flat.scopes.push({ host: place.host, patterns, refuse: own });
    this.flattenInto(flat, { ...place, layers, refuse: own }, refuse);
  }

  private open(): void {
    if (this.sealed)
      throw new TypeError('this router answers requests already: make a new one, and reload the server with it');
  }
}

function flatRoute({ methods, path, handler, options }: Entry, place: Place): FlatRoute {
  const layers = [...place.layers, ...(options.layers ?? [])];
  const ready = (options.body ?? handler.bodyMode ?? place.body) === 'auto' ? buffered(handler) : handler;
  return {
    host: place.host,
    pattern: parsePattern(joinPatterns(place.prefix, path)),
    methods,
    handler: layers.length === 0 ? ready : stack(...layers)(withBodyMode(ready, 'manual')),
    state: options.state,
    refuse: place.refuse,
  };
}

function checkRouteOptions(path: string, options: RouteOptions): void {
  for (const name of Object.keys(options)) {
    if (OPTION_NAMES.includes(name)) continue;
    const near = didYouMean(name, OPTION_NAMES);
    throw new TypeError(`route ${path}: ${name}: no such option${near === null ? '' : `, did you mean ${near}?`}`);
  }
  checkBodyMode(`route ${path}`, options.body ?? null);
}

/** Throws `TypeError` on what is no body mode; `null` is left to others. */
export function checkBodyMode(what: string, body: BodyMode | null): void {
  if (body !== null && body !== 'auto' && body !== 'manual')
    throw new TypeError(`${what}: body: ${JSON.stringify(body)} is neither auto nor manual`);
}
