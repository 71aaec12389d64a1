import { randomUUID } from 'node:crypto';
import type { Layer } from '../../core/handler.ts';
import { withBodyMode } from '../../core/handler.ts';
import { fieldName } from '../../core/option-kind.ts';
import { withDefaults } from '../../core/options.ts';
import { mapAnswer, withHeader } from '../response.ts';

export interface RequestIdOptions {
  /** The field that the id comes in and goes out by. */
  header: string;
  /** Take the id of a client over. Only behind a proxy that sets it: anybody else could write what they like into logs. */
  trusted: boolean;
  /** A longer id from a client is not taken over. */
  idMaxBytes: number;
  /** Makes an id where none was taken over. */
  generate: () => string;
}

export const REQUEST_ID_DEFAULTS: Readonly<RequestIdOptions> = {
  header: 'x-request-id',
  trusted: false,
  idMaxBytes: 128,
  generate: randomUUID,
};

/** Nothing that could end a log field or a header: what UUIDs, ULIDs, trace ids and base64 are made of. */
const ID = /^[A-Za-z0-9._~+/=:@-]+$/;

/** Gives every request an id that is unique anywhere, as `request.id`, and tells it in a response header. */
export function requestId(options?: Partial<RequestIdOptions>): Layer {
  const { header, trusted, idMaxBytes, generate } = withDefaults('requestId', REQUEST_ID_DEFAULTS, options, {
    kinds: { header: fieldName },
  });
  return (inner) =>
    withBodyMode((request) => {
      const given = trusted ? request.headers.get(header) : null;
      const id = given !== null && given.length <= idMaxBytes && ID.test(given) ? given : generate();
      request.id = id;
      return mapAnswer(inner(request), (response) => withHeader(response, header, id));
    }, inner.bodyMode);
}
