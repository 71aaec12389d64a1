import { Failure } from '../core/failure.ts';
import type { Handler } from '../core/handler.ts';
import type { HttpResponse } from '../core/message.ts';
import type { HttpRequest } from '../core/request.ts';
import { ExactTexts } from './exact.ts';
import type { HostPattern } from './host.ts';
import { compareHosts, HostTable, hostCovers } from './host.ts';
import { ANY_METHODS, allowValue } from './method.ts';
import { comparablePath, rawPath } from './path.ts';
import { exactPath, parsePattern, readParams } from './pattern.ts';
import { reply } from './reply.ts';
import type { FlatRoute, FlatTable, Refuse } from './route-table.ts';
import { Leaf, PathTree } from './tree.ts';

const SLASH = 0x2f;
const ANY_TARGET = parsePattern('*');

/** The answer where no route has the path. */
export const NOT_FOUND = reply.fixed({
  status: 404,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: 'There is nothing here.\n',
});

/** The answer where routes have the path, but none the method; OPTIONS is told what they take (RFC 9110 §9.3.7). */
export function methodReply(method: string, allowed: Iterable<string>): HttpResponse {
  const headers = { allow: allowValue(allowed) };
  if (method === 'OPTIONS') return reply.empty(204, { headers });
  return reply.text('This method is not allowed.\n', { status: 405, headers });
}

/** The routes of one host pattern, and where to look on when none of them fits. */
class Site {
  readonly host: HostPattern;
  readonly tree = new PathTree<FlatRoute>();
  /** The leaves of patterns without `:` and `*`, which no other pattern beats. */
  readonly exact = new ExactTexts<Leaf<FlatRoute>>();
  readonly scopes = new PathTree<Refuse>();
  /** Routes for `*`: they also take targets that are no path (OPTIONS, and CONNECT where it is named). */
  readonly pathless = new Leaf<FlatRoute>(ANY_TARGET);
  next: Site | null = null;

  constructor(host: HostPattern) {
    this.host = host;
  }

  add(route: FlatRoute): void {
    const leaf = this.tree.leaf(route.pattern);
    addTo(leaf, route);
    if (route.pattern.text === '*') addTo(this.pathless, route);
    const path = exactPath(route.pattern);
    if (path !== null) this.exact.add(path, leaf);
  }
}

function addTo(leaf: Leaf<FlatRoute>, route: FlatRoute): void {
  const twice = (method: string): TypeError =>
    new TypeError(`two routes take ${method} ${route.pattern.text} (the other is ${leaf.pattern.text})`);
  if (route.methods === null) {
    if (leaf.others !== null) throw twice('any method of');
    leaf.others = route;
    return;
  }
  for (const method of route.methods) {
    if (leaf.has(method)) throw twice(method);
    leaf.byMethod.push({ method, value: route });
  }
}

/** A table of routes as one handler: the host, then the path, then the method decide. */
export function compileTable(flatten: (refuse: Refuse) => FlatTable): Handler {
  const refuse: Refuse = (request) => refusal(request, hosts.find(request.authority), serverMethods);
  const { routes, scopes } = flatten(refuse);
  const sites = makeSites([...routes, ...scopes].map(({ host }) => host));
  for (const route of routes) siteOf(sites, route.host).add(route);
  for (const scope of scopes) {
    const site = siteOf(sites, scope.host);
    for (const pattern of scope.patterns) site.scopes.leaf(pattern).others ??= scope.refuse;
  }
  const hosts = new HostTable(siteOf(sites, { name: '', kind: 'any' }));
  for (const site of sites) hosts.add(site.host, site);
  for (const route of routes) answerHead(siteOf(sites, route.host), route);
  const serverMethods = new Set(routes.flatMap((route) => route.methods ?? ANY_METHODS));

  return (request) => {
    const { method, target } = request;
    if (target.charCodeAt(0) !== SLASH) return answerPathless(request, hosts.find(request.authority), refuse);
    const raw = rawPath(target);
    const first = hosts.find(request.authority);
    let path: string | null = null;
    for (let site: Site | null = first; site !== null; site = site.next) {
      let route = site.exact.get(raw)?.take(method) ?? null;
      if (route === null) {
        path ??= comparablePath(raw);
        route = site.tree.find(path, method);
        if (route === null) continue;
        const { names } = route.pattern;
        if (names.length > 0) request.params = readParams(names, path, site.tree.marks);
      }
      if (route.state !== undefined) request.state = route.state;
      return route.handler(request);
    }
    return responsible(first, path ?? comparablePath(raw), refuse)(request);
  };
}

/** One site per host pattern, and one for any host; each leads on to the most specific one that covers it. */
function makeSites(patterns: readonly HostPattern[]): readonly Site[] {
  const distinct = new Map<string, HostPattern>([['any', { name: '', kind: 'any' }]]);
  for (const host of patterns) distinct.set(host.kind === 'any' ? 'any' : `${host.kind} ${host.name}`, host);
  const sites = [...distinct.values()].sort(compareHosts).map((host) => new Site(host));
  sites.forEach((site, index) => {
    site.next = sites.slice(index + 1).find((wider) => hostCovers(wider.host, site.host)) ?? null;
  });
  return sites;
}

function siteOf(sites: readonly Site[], host: HostPattern): Site {
  const site = sites.find((candidate) => candidate.host.kind === host.kind && candidate.host.name === host.name);
  if (site === undefined) throw new Error(`no site for host ${host.name}`);
  return site;
}

/** HEAD runs what answers GET, unless a route at the same place takes HEAD itself (RFC 9110 §9.3.2). */
function answerHead(site: Site, route: FlatRoute): void {
  if (route.methods?.includes('GET') !== true) return;
  const leaf = site.tree.leaf(route.pattern);
  if (!leaf.has('HEAD')) leaf.byMethod.push({ method: 'HEAD', value: route });
}

/** CONNECT with an authority, and `OPTIONS *` (RFC 9112 §3.2.3, §3.2.4). */
function answerPathless(request: HttpRequest, first: Site, refuse: Refuse): ReturnType<Handler> {
  for (let site: Site | null = first; site !== null; site = site.next) {
    const route = site.pathless.take(request.method);
    if (route === null) continue;
    if (route.state !== undefined) request.state = route.state;
    return route.handler(request);
  }
  return refuse(request);
}

/** Who refuses a request: the router of the best route that has the path, else the deepest one mounted above it. */
function responsible(first: Site, path: string, fallback: Refuse): Refuse {
  for (let site: Site | null = first; site !== null; site = site.next) {
    const leaf = site.tree.matching(path)[0];
    const route = leaf?.others ?? leaf?.byMethod[0]?.value;
    if (route !== undefined) return route.refuse;
  }
  for (let site: Site | null = first; site !== null; site = site.next) {
    const refuse = site.scopes.find(path, '');
    if (refuse !== null) return refuse;
  }
  return fallback;
}

function refusal(request: HttpRequest, first: Site, serverMethods: ReadonlySet<string>): HttpResponse {
  const { method, target } = request;
  if (method === 'CONNECT') throw new Failure('method-unsupported');
  if (target === '*' && method === 'OPTIONS') return methodReply(method, [...serverMethods, 'OPTIONS']);
  if (target.charCodeAt(0) !== SLASH) throw new Failure('target-invalid');
  const path = comparablePath(rawPath(target));
  const allowed: string[] = [];
  for (let site: Site | null = first; site !== null; site = site.next) {
    for (const leaf of site.tree.matching(path)) for (const entry of leaf.byMethod) allowed.push(entry.method);
  }
  return allowed.length === 0 ? NOT_FOUND : methodReply(method, [...allowed, 'OPTIONS']);
}
