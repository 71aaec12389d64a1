import fastify from 'fastify';
import type { Job } from '../job.ts';
import { COLLECTIONS, HELLO, LARGE, LARGE_PATH, thing } from '../sites.ts';

const { port, site }: Job = JSON.parse(process.argv[2] ?? '');
const app = fastify({ logger: false });

if (site === 'hello') app.get('/', () => HELLO);
if (site === 'large') app.get(LARGE_PATH, () => LARGE);
if (site === 'routes')
  for (const collection of COLLECTIONS) {
    app.get(`/${collection}`, () => thing(collection, null));
    app.get<{ Params: { id: string } }>(`/${collection}/:id`, (request) => thing(collection, request.params.id));
  }
if (site === 'echo') {
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  app.post('/', (request, reply) => reply.type('application/octet-stream').send(request.body));
}

await app.listen({ host: '127.0.0.1', port, backlog: 4096 });
