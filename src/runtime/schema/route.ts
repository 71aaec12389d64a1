import { z } from 'zod';
import { HeaderFields, isToken } from '../../core/headers.ts';
import { readLocation } from '../location.ts';
import { required, setting, text } from './unit.ts';

const headers = z
  .record(z.string(), z.union([z.string(), z.array(z.string())], 'text or a list of texts'))
  .superRefine((fields, context) => {
    for (const [name, value] of Object.entries(fields)) {
      const path = [name];
      if (!isToken(name))
        context.addIssue({
          code: 'custom',
          path,
          params: { part: 'key' },
          message: 'a name of letters, digits and hyphens',
        });
      else if (!validValue(value)) context.addIssue({ code: 'custom', path, message: 'one line of Latin text' });
    }
  });

function validValue(value: string | string[]): boolean {
  try {
    HeaderFields.from({ value });
    return true;
  } catch {
    return false;
  }
}

const match = z.strictObject({
  listener: setting(text, 'The name of the listener the request came in by. Default: any.'),
  host: setting(
    text,
    'The host asked for, without port: `example.com`, or `*.example.com` for its subdomains. Default: any.',
  ),
  path: setting(
    z.string().startsWith('/', 'a path that starts with /'),
    'The path: exact (`/health`), with a parameter (`/users/:id`), or with everything below (`/api/*`). Default: any.',
  ),
  methods: setting(z.array(text).min(1), 'Methods, such as [GET, POST]; GET includes HEAD. Default: any.'),
});

const respond = z.strictObject({
  status: setting(
    z.int('a status from 200 to 599').min(200, 'a status from 200 to 599').max(599, 'a status from 200 to 599'),
    'The status of the answer.',
    200,
  ),
  headers: setting(headers, 'Headers of the answer. `date` and `content-length` are added.'),
  body: setting(z.string(), 'The body of the answer. Default: empty.'),
});

const redirect = z.strictObject({
  status: setting(z.literal([301, 302, 303, 307, 308]), 'The status of the answer.', 308),
  location: required(
    text.refine(validLocation, 'a URL in which only {uri}, {path} and {host} stand in braces'),
    'Where to: `{uri}` is the path and query asked for, `{path}` the path, `{host}` the host with its port.',
  ),
});

function validLocation(location: string): boolean {
  return readLocation(location) !== null;
}

const proxy = z.strictObject({
  upstream: required(text, 'The name of the upstream that answers.'),
});

/** What is done with the requests that match. The first route that matches wins. */
export const route = z
  .strictObject({
    match: setting(match, 'Which requests this route takes. Default: all.'),
    respond: setting(respond, 'Answers with something that never changes.'),
    redirect: setting(redirect, 'Sends the client elsewhere.'),
    proxy: setting(proxy, 'Passes the request on to an upstream.'),
  })
  .meta({ oneOf: [{ required: ['respond'] }, { required: ['redirect'] }, { required: ['proxy'] }] });
