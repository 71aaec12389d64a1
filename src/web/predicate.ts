import { Failure } from '../core/failure.ts';
import type { BodyMode, Handler } from '../core/handler.ts';
import { bodyReady } from '../core/handler.ts';
import { oneOf, text } from '../core/option-kind.ts';
import { withDefaults } from '../core/options.ts';
import type { HttpRequest } from '../core/request.ts';
import { methodReply, NOT_FOUND } from './dispatch.ts';
import { ExactTexts } from './exact.ts';
import type { HostPattern } from './host.ts';
import { HostTable, hostCovers, parseHost } from './host.ts';
import { ANY_METHODS, checkMethods } from './method.ts';
import { comparablePath, rawPath } from './path.ts';
import type { PathPattern } from './pattern.ts';
import { exactPath, firstSegment, matchesPattern, parsePattern, REST } from './pattern.ts';

/** Which requests a route takes. What is left out takes any. */
export interface RouteMatch {
  /** Name of the listener the request came in by. */
  readonly listener?: string | undefined;
  /** `example.com`, `*.example.com` for every host below it, `[::1]`; in any case, with any port. */
  readonly host?: string | undefined;
  /** `/exact`, `/users/:id`, `/files/*` (`/files/` and everything below, not `/files`), `/*`. */
  readonly path?: string | undefined;
  /** GET includes HEAD; CONNECT has to be named. */
  readonly methods?: readonly string[] | undefined;
}

/** One entry of an ordered list of routes. */
export interface MatchedRoute {
  readonly match?: RouteMatch | undefined;
  readonly handler: Handler;
}

export interface MatchOptions {
  /** The listener that this handler is for: routes for another one are left out. */
  listener: string | null;
  /** When bodies are read for handlers that do not say. */
  body: BodyMode;
}

const MATCH_DEFAULTS: Readonly<MatchOptions> = { listener: null, body: 'auto' };
const KINDS = { listener: text, body: oneOf(['auto', 'manual']) };

/** From here on a list of open routes is looked up by its first segment. */
const MANY_COUNT = 8;
const SLASH = 0x2f;
const ANY_PATH = parsePattern('/*');

interface Candidate {
  readonly host: HostPattern;
  readonly pattern: PathPattern;
  /** What a path must start with, for the usual `/prefix/*`; empty for any path, `null` for other patterns. */
  readonly prefix: string | null;
  readonly methods: readonly string[] | null;
  readonly handler: Handler;
}

/**
 * An ordered list of routes as one handler: the first entry that matches answers. Nothing matches: 404, or 405 with
 * `allow` where only the method did not. `OPTIONS *` is answered with all methods, CONNECT is 501 unless a route for
 * any path names it. It narrows only: `request.params` is left as it is.
 *
 * Which entries a host and an exact path can meet is worked out here, once, so that order costs nothing later.
 */
export function matchRoutes(routes: readonly MatchedRoute[], options?: Partial<MatchOptions>): Handler {
  const { listener, body } = withDefaults('matchRoutes', MATCH_DEFAULTS, options, { kinds: KINDS });
  const candidates = routes
    .filter(({ match }) => isFor(match?.listener, listener))
    .map(({ match = {}, handler }) => candidate(match, bodyReady(handler, body)));
  const hosts = new HostTable(new Plan(candidates.filter(({ host }) => host.kind === 'any')));
  for (const { host } of candidates) {
    hosts.add(host, new Plan(candidates.filter((other) => hostCovers(other.host, host))));
  }
  const handler: Handler = (request) => hosts.find(request.authority).answer(request);
  return Object.assign(handler, { bodyMode: 'manual' as const });
}

/** The candidates that one host can meet, in order. */
class Plan {
  /** For each path that a route names exactly: every candidate that matches it. */
  private readonly exact = new ExactTexts<readonly Candidate[]>();
  /** Candidates that match more than one path. */
  private readonly open: readonly Candidate[];
  /** The same by first segment, with those that take any; `null` while there are few. */
  private readonly bySegment: ReadonlyMap<string, readonly Candidate[]> | null;
  private readonly loose: readonly Candidate[];
  private readonly all: readonly Candidate[];

  constructor(candidates: readonly Candidate[]) {
    this.all = candidates;
    for (const { pattern } of candidates) {
      const path = exactPath(pattern);
      if (path === null || this.exact.has(path)) continue;
      this.exact.add(
        path,
        candidates.filter((other) => matchesPattern(other.pattern, path)),
      );
    }
    this.open = candidates.filter(({ pattern }) => exactPath(pattern) === null);
    this.loose = this.open.filter(({ pattern }) => firstSegment(pattern) === null);
    this.bySegment = this.open.length > MANY_COUNT ? segments(this.open) : null;
  }

  answer(request: HttpRequest): ReturnType<Handler> {
    const { method, target } = request;
    if (target.charCodeAt(0) !== SLASH) return this.answerPathless(request);
    const raw = rawPath(target);
    let candidates = this.exact.size === 0 ? null : this.exact.get(raw);
    let path = raw;
    if (candidates === null) {
      path = comparablePath(raw);
      if (path !== raw) candidates = this.exact.get(path);
    }
    const exact = candidates !== null;
    candidates ??= this.bySegment === null ? this.open : this.near(this.bySegment, path);
    for (let i = 0; i < candidates.length; i += 1) {
      const found = candidates[i];
      if (found !== undefined && (exact || takesPath(found, path)) && takesMethod(found, method))
        return found.handler(request);
    }
    return refusal(
      method,
      candidates.filter((found) => exact || takesPath(found, path)),
    );
  }

  private near(bySegment: ReadonlyMap<string, readonly Candidate[]>, path: string): readonly Candidate[] {
    const slash = path.indexOf('/', 1);
    return slash === -1 ? this.loose : (bySegment.get(path.slice(1, slash)) ?? this.loose);
  }

  private answerPathless(request: HttpRequest): ReturnType<Handler> {
    const { method, target } = request;
    if (method === 'CONNECT') {
      const found = this.all.find((other) => other.prefix === '' && takesMethod(other, method));
      if (found === undefined) throw new Failure('method-unsupported');
      return found.handler(request);
    }
    if (target !== '*' || method !== 'OPTIONS') throw new Failure('target-invalid');
    return methodReply(method, ['OPTIONS', ...this.all.flatMap(({ methods }) => methods ?? ANY_METHODS)]);
  }
}

function refusal(method: string, candidates: readonly Candidate[]): ReturnType<Handler> {
  if (method === 'CONNECT') throw new Failure('method-unsupported');
  if (candidates.length === 0) return NOT_FOUND;
  return methodReply(
    method === 'OPTIONS' ? '' : method,
    candidates.flatMap(({ methods }) => methods ?? ANY_METHODS),
  );
}

function candidate(match: RouteMatch, handler: Handler): Candidate {
  const pattern = match.path === undefined ? ANY_PATH : parsePattern(match.path);
  const methods = match.methods === undefined ? null : checkMethods(match.methods);
  const [first, second] = pattern.parts;
  const starts = typeof first === 'string' && second === REST ? first : null;
  return {
    host: parseHost(match.host ?? '*'),
    pattern,
    prefix: starts === '/' ? '' : starts,
    methods: methods?.includes('GET') === true ? [...methods, 'HEAD'] : methods,
    handler,
  };
}

function isFor(wanted: string | undefined, listener: string | null): boolean {
  if (wanted === undefined) return true;
  if (listener === null)
    throw new TypeError(`matchRoutes: a route is for listener ${wanted}, give the option listener as well`);
  return wanted === listener;
}

/** Open candidates by the first segment they ask for; those that ask for none are in every list, in their place. */
function segments(open: readonly Candidate[]): ReadonlyMap<string, readonly Candidate[]> {
  const names = new Set(open.map(({ pattern }) => firstSegment(pattern)).filter((name) => name !== null));
  const near =
    (name: string) =>
    (other: Candidate): boolean =>
      [name, null].includes(firstSegment(other.pattern));
  return new Map([...names].map((name) => [name, open.filter(near(name))]));
}

function takesPath({ prefix, pattern }: Candidate, path: string): boolean {
  if (prefix === null) return matchesPattern(pattern, path);
  return prefix === '' || path.slice(0, prefix.length) === prefix;
}

function takesMethod({ methods }: Candidate, method: string): boolean {
  return methods === null ? method !== 'CONNECT' : methods.includes(method);
}
