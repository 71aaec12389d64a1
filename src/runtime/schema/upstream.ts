import { z } from 'zod';
import { required, text } from './unit.ts';

const url = text;

const endpoint = z.union(
  [url, z.strictObject({ url: required(url, 'http://host:port') })],
  'a URL, or a block with `url`',
);

/** Servers that answer the same requests. */
export const upstream = z.strictObject({
  name: required(text, 'What routes call it.'),
  endpoints: required(z.array(endpoint).min(1), 'Where its servers are: URLs.'),
});
