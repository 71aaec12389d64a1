import { type Handler, proxy, reply, router, serve, upstream } from '../../src/index.ts';
import { IN_FLIGHT_MAX_COUNT, type Job } from '../job.ts';
import { COLLECTIONS, HELLO, LARGE, thing } from '../sites.ts';
import { isHttp2, isTls } from '../wire.ts';

const { port, site, wire, origin, certificate }: Job = JSON.parse(process.argv[2] ?? '');

function routes(): Handler {
  const collections = router();
  for (const collection of COLLECTIONS)
    collections
      .get(`/${collection}`, () => reply.json(thing(collection, null)))
      .get(`/${collection}/:id`, (request) => reply.json(thing(collection, request.params.id ?? null)));
  return collections;
}

const sites: Readonly<Record<string, () => Handler>> = {
  hello: () => () => reply.text(HELLO),
  large: () => () => reply.text(LARGE),
  routes,
  echo: () => async (request) => reply.bytes(await request.bytes()),
  proxy: () =>
    proxy(
      upstream({
        endpoints: [`http://127.0.0.1:${origin.port}`],
        pool: { connectionMaxCount: IN_FLIGHT_MAX_COUNT },
        protocol: isHttp2(origin.wire) ? 'h2' : 'auto',
      }),
    ),
};

const handler = sites[site]?.();
if (handler === undefined) throw new Error(`there is no site ${site}`);
const { cert, key } = certificate;
const bind = `127.0.0.1:${port}`;
const protocols = isHttp2(wire) ? (['h2'] as const) : (['http1'] as const);
const tls = isTls(wire) ? { certificates: [{ cert, key }] } : undefined;
await serve({ listeners: [{ bind, protocols, tls }], handler });
