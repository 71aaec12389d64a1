import { type Handler, proxy, reply, router, serve, upstream } from '../../src/index.ts';
import { COLLECTIONS, HELLO, LARGE, thing } from '../sites.ts';

const [port, site = '', originPort] = process.argv.slice(2);

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
  proxy: () => proxy(upstream({ endpoints: [`http://127.0.0.1:${originPort}`] })),
};

const handler = sites[site]?.();
if (handler === undefined) throw new Error(`there is no site ${site}`);
await serve({ listeners: [{ bind: `127.0.0.1:${port}` }], handler });
