import type { BodyMode, Handler, Layer } from '../core/handler.ts';
import { stack, withBodyMode } from '../core/handler.ts';
import { withDefaults } from '../core/options.ts';
import type { WebSocketOptions } from '../protocol/websocket/options.ts';
import { type WebSocketHandler, websocket } from '../protocol/websocket/server.ts';
import { compileTable } from './dispatch.ts';
import type { RouteOptions } from './route-table.ts';
import { checkBodyMode, RouteTable } from './route-table.ts';

export type { RouteOptions } from './route-table.ts';

export interface RouterOptions {
  /**
   * When bodies are read for routes whose options and handler do not say. `null` leaves it to the router this one
   * is mounted in, and is `auto` where there is none.
   */
  body: BodyMode | null;
}

const ROUTER_DEFAULTS: Readonly<RouterOptions> = { body: null };

/** Adds a route for one method. Paths are patterns: `/exact`, `/users/:id`, `/files/*`. */
type AddRoute = (path: string, handler: Handler, options?: RouteOptions) => Router;

/** How a route opens WebSockets, and what it may be given besides. */
export type WebSocketRouteOptions = Partial<WebSocketOptions> & Pick<RouteOptions, 'state' | 'layers'>;

/**
 * Routes, and the handler that they make. Everything but `compile` adds something and returns the router.
 *
 * - The most specific route that takes the method wins, from the left: text, then `:name`, then `*`; the order in
 *   which routes were added means nothing. Two routes for the same method and pattern throw when they are compiled.
 * - `/files/*` has `/files/` and everything below it, not `/files`; `/*` has every path.
 * - A trailing slash counts; `//` is read as `/`; `.`, `..` and escapes are resolved before anything is compared,
 *   and a path that cannot be is 400. `request.target` stays as received.
 * - Without a route of its own HEAD runs the GET route and OPTIONS tells what is allowed. A path that only other
 *   methods have is 405 with `allow`, any other one 404.
 */
export interface Router extends Handler {
  readonly bodyMode: 'manual';
  readonly get: AddRoute;
  readonly head: AddRoute;
  readonly post: AddRoute;
  readonly put: AddRoute;
  readonly patch: AddRoute;
  readonly delete: AddRoute;
  readonly options: AddRoute;
  /** A route for every method but CONNECT. */
  readonly all: AddRoute;
  /**
   * A route for these methods. `*` as the path is every path, and with OPTIONS or CONNECT also a target that is no
   * path (`OPTIONS *`, `CONNECT host:port`); without such a route CONNECT is 501.
   */
  on(methods: string | readonly string[], path: string, handler: Handler, options?: RouteOptions): Router;
  /**
   * A route that opens WebSockets, over HTTP/1.1 and HTTP/2; it is the GET route of its path. Who does not ask for one is
   * answered 426. To decide by the request first, take `websocket(handler)` for a handler and call it.
   */
  websocket(path: string, handler: WebSocketHandler, options?: WebSocketRouteOptions): Router;
  /** Routes for one host, in any case and with any port; `*.example.com` has all hosts below it. They go first. */
  host(pattern: string, build: (routes: Router) => void): Router;
  host(pattern: string, routes: Router): Router;
  /** Puts a router's routes below a prefix, or a handler at and below it. Either sees the request's path unchanged. */
  mount(prefix: string, routes: Router | Handler): Router;
  /** Layers around everything this router answers, 404 and 405 too, whatever was added before or after. */
  use(...layers: readonly Layer[]): Router;
  /** Makes the look-up now rather than at the first request, so that mistakes show. Nothing can be added after. */
  compile(): Router;
}

const tables = new WeakMap<object, RouteTable>();

const isRouter = (given: object): given is Router => tables.has(given);

function tableOf(routes: Router): RouteTable {
  const table = tables.get(routes);
  if (table === undefined) throw new TypeError('not a router');
  return table;
}

/** A new router, without routes. */
export function router(options?: Partial<RouterOptions>): Router {
  const { body } = withDefaults('router', ROUTER_DEFAULTS, options);
  checkBodyMode('router', body);
  const table = new RouteTable(body);

  const compile = (): Handler => {
    const handler = stack(...table.layers)(
      withBodyMode(
        compileTable((refuse) => table.flatten(refuse)),
        'manual',
      ),
    );
    table.seal();
    return handler;
  };
  let run: Handler = (request) => {
    run = compile();
    return run(request);
  };
  const handle: Handler = (request) => run(request);

  const adder =
    (methods: readonly string[] | null): AddRoute =>
    (path, handler, routeOptions) => {
      table.add(methods, path, handler, routeOptions);
      return routes;
    };

  const routes: Router = Object.assign(handle, {
    bodyMode: 'manual' as const,
    get: adder(['GET']),
    head: adder(['HEAD']),
    post: adder(['POST']),
    put: adder(['PUT']),
    patch: adder(['PATCH']),
    delete: adder(['DELETE']),
    options: adder(['OPTIONS']),
    all: adder(null),
    on: (methods: string | readonly string[], path: string, handler: Handler, routeOptions?: RouteOptions) =>
      adder(typeof methods === 'string' ? [methods] : [...methods])(path, handler, routeOptions),
    websocket(path: string, handler: WebSocketHandler, { state, layers, ...rest }: WebSocketRouteOptions = {}): Router {
      table.add(['GET'], path, websocket(handler, rest), { state, layers });
      return routes;
    },
    host(pattern: string, given: Router | ((routes: Router) => void)): Router {
      if (isRouter(given)) {
        table.host(pattern, tableOf(given));
      } else {
        const inner = router();
        given(inner);
        table.host(pattern, tableOf(inner));
      }
      return routes;
    },
    mount(prefix: string, given: Router | Handler): Router {
      if (isRouter(given)) table.mount(prefix, tableOf(given));
      else table.mountHandler(prefix, given);
      return routes;
    },
    use(...layers: readonly Layer[]): Router {
      table.use(layers);
      return routes;
    },
    compile(): Router {
      if (!table.sealed) run = compile();
      return routes;
    },
  });
  tables.set(routes, table);
  return routes;
}
