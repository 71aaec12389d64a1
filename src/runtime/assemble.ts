import { type Handler, withBodyMode } from '../core/handler.ts';
import { HeaderFields } from '../core/headers.ts';
import type { HttpResponse } from '../core/message.ts';
import type { Log } from '../ops/log.ts';
import type { ListenerOptions } from '../server/options.ts';
import { CertificateError } from '../transport/tls/certificate.ts';
import { proxy } from '../upstream/forward.ts';
import type { UpstreamGroup } from '../upstream/group.ts';
import { type MatchedRoute, matchRoutes } from '../web/predicate.ts';
import { reply } from '../web/reply.ts';
import type { LoadedConfig } from './config.ts';
import { absolute } from './folder.ts';
import { accessLayer, LayerMaker, type Limit, type Place } from './layers.ts';
import { checkCertificates, inFolder } from './listener-tls.ts';
import { readLocation } from './location.ts';
import { ConfigError } from './problem.ts';
import type { Config } from './schema.ts';
import { type AssembledUpstream, UpstreamSet } from './upstreams.ts';

type RouteConfig = Config['routes'][number];

/** A configuration made into what a server runs. */
export interface Assembly {
  readonly loaded: LoadedConfig;
  /** What each listener answers with, by its name. */
  readonly handlers: Readonly<Record<string, Handler>>;
  readonly listeners: readonly ListenerOptions[];
  readonly upstreams: ReadonlyMap<string, AssembledUpstream>;
  /** Layers that decide and count, by their place and settings. */
  readonly limits: ReadonlyMap<string, Limit>;
  /** What is suspicious but works. */
  readonly warnings: readonly string[];
  /** It is in force from now on: upstreams that are carried over get their new endpoints. Once. */
  goLive(): void;
  /** It will never be in force. */
  discard(): void;
}

/**
 * Builds handlers, upstreams and listener options. Opens nothing, and changes nothing of `previous`. An upstream whose
 * settings, but for its endpoints, are those of `previous` is carried over, with its connections. Throws `ConfigError` on
 * what only the building finds out.
 */
export function assemble(loaded: LoadedConfig, log: Log, previous: Assembly | null = null): Assembly {
  try {
    return build(loaded, log, previous);
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof CertificateError)) throw error;
    const problem = { severity: 'error', message: error.message, path: [], place: null } as const;
    throw new ConfigError(loaded.name, null, [problem]);
  }
}

function build(loaded: LoadedConfig, log: Log, previous: Assembly | null): Assembly {
  const { config, folder } = loaded;
  const layers = new LayerMaker(log, previous?.limits ?? new Map());
  const upstreams = new UpstreamSet(config.upstreams ?? [], folder, layers, previous?.upstreams);
  try {
    return around(upstreams, layers, loaded, log, previous);
  } catch (error) {
    upstreams.discard();
    throw error;
  }
}

/** What is built on upstreams. */
function around(
  set: UpstreamSet,
  layers: LayerMaker,
  loaded: LoadedConfig,
  log: Log,
  previous: Assembly | null,
): Assembly {
  const { config, folder } = loaded;
  const upstreams = set.byName;
  const routes = config.routes.map((route) => ({
    match: route.match,
    handler: routeHandler(route, upstreams, layers),
  }));
  // A listener that the new configuration has dropped listens until the restart, and must not keep old upstreams alive.
  const names = new Set([...config.listeners.map(listenerName), ...Object.keys(previous?.handlers ?? {})]);
  const handlers = Object.fromEntries([...names].map((name) => [name, listenerHandler(name, routes, config, log)]));
  const warnings: string[] = [];
  const listeners = config.listeners.map((listener): ListenerOptions => {
    const { mode, tls: given, ...options } = listener;
    const name = listenerName(listener);
    const bind = absolute(listener.bind, folder);
    const octal = mode === undefined ? undefined : Number.parseInt(mode, 8);
    const tls = given === undefined ? undefined : inFolder(given, folder);
    if (tls !== undefined) warnings.push(...checkCertificates(`listener ${name}: tls`, tls));
    return { ...options, name, bind, tls, handler: handlers[name], mode: octal };
  });
  return {
    loaded,
    handlers,
    listeners,
    upstreams,
    limits: layers.limits,
    warnings,
    goLive: () => set.goLive(),
    discard: () => set.discard(),
  };
}

type Upstreams = Assembly['upstreams'];

/** Upstreams of `before` that `after` does not use any more. */
export function goneUpstreams(before: Assembly, after: Assembly): UpstreamGroup[] {
  const kept = new Set([...after.upstreams.values()].map(({ group }) => group));
  return [...before.upstreams.values()].map(({ group }) => group).filter((group) => !kept.has(group));
}

/** What routes and logs call a listener. */
const listenerName = ({ name, bind }: Config['listeners'][number]): string => name ?? bind;

function listenerHandler(name: string, routes: readonly MatchedRoute[], config: Config, log: Log): Handler {
  const matched = matchRoutes(routes, { listener: name });
  return config.logs?.access === true ? accessLayer(log)(matched) : matched;
}

function routeHandler(route: RouteConfig, upstreams: Upstreams, maker: LayerMaker): Handler {
  const answer = routeAnswer(route, upstreams);
  const handler = route.body === undefined ? answer : withBodyMode(answer, route.body);
  const layer = maker.stacked(route.layers, routePlace(route));
  return layer === null ? handler : layer(handler);
}

function routePlace({ match = {} }: RouteConfig): Place {
  const { host = '', path = '/*', methods = [] } = match;
  return { identity: `route ${JSON.stringify(match)}`, name: ['route', ...methods, `${host}${path}`].join(' ') };
}

function routeAnswer({ respond, redirect, proxy: passing }: RouteConfig, upstreams: Upstreams): Handler {
  if (respond !== undefined) return fixedHandler(fixedReply(respond));
  if (redirect !== undefined) return redirectHandler(redirect);
  if (passing === undefined) throw new TypeError('a route without an action');
  const { upstream: name, ...options } = passing;
  const target = upstreams.get(name);
  if (target === undefined) throw new TypeError(`there is no upstream named ${name}`);
  const handler = proxy(target.group, options);
  return target.layer === null ? handler : target.layer(handler);
}

const fixedHandler =
  (response: HttpResponse): Handler =>
  () =>
    response;

function fixedReply({ status = 200, headers, body }: NonNullable<RouteConfig['respond']>): HttpResponse {
  const fields = HeaderFields.from(headers);
  // Without a type, browsers guess one from the bytes.
  const bare = body === undefined || body === '' || fields.has('content-type');
  const typed = bare ? fields : fields.append('content-type', 'text/plain; charset=utf-8');
  return reply.fixed({ status, headers: typed, body: body ?? null });
}

function redirectHandler({ status = 308, location }: NonNullable<RouteConfig['redirect']>): Handler {
  const place = readLocation(location);
  if (place === null) throw new TypeError(`redirect: ${location} cannot be read`);
  if (place.kind === 'made') return (request) => reply.redirect(place.locate(request), status);
  const { headers } = reply.redirect(place.location, status);
  return fixedHandler(reply.fixed({ status, headers }));
}
