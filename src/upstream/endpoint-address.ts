import type { NetConnectOpts } from 'node:net';

/** How to reach one server of an upstream. */
export interface EndpointAddress {
  /** As given, in its normal form: the endpoint's identity. */
  readonly url: string;
  /** Its `host`, where the client's is not preserved. */
  readonly authority: string;
  /** The name or address by which its certificate is checked; `null`: no TLS. */
  readonly secureHost: string | null;
  readonly connect: NetConnectOpts;
}

/** Reads `http://host:port`, `https://host:port` or `unix:/path`. Throws a `TypeError` that says what is wrong with it. */
export function endpointAddress(given: string): EndpointAddress {
  if (given.startsWith('unix:')) {
    const path = given.slice(5);
    if (path === '') throw new TypeError('upstream: endpoint unix: has no path');
    return { url: given, authority: 'localhost', secureHost: null, connect: { path } };
  }
  const url = URL.parse(given);
  if (url === null) throw new TypeError(`upstream: endpoint ${JSON.stringify(given)} is not a URL`);
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:') {
    throw new TypeError(`upstream: endpoint ${given} is none of http://, https:// and unix:`);
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new TypeError(`upstream: endpoint ${given} may have a host and a port only`);
  }
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  return { url: url.origin, authority: url.host, secureHost: secure ? host : null, connect: { host, port } };
}
