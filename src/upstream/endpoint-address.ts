import type { NetConnectOpts } from 'node:net';

/** How to reach one server of an upstream. */
export interface EndpointAddress {
  /** As given, in its normal form: the endpoint's identity. */
  readonly url: string;
  /** What it is called, with its port: its `host`, where the client's is not preserved. */
  readonly authority: string;
  /** The name or address by which its certificate is checked; `null`: no TLS. */
  readonly secureHost: string | null;
  readonly connect: NetConnectOpts;
}

/**
 * Reads `http://host:port`, `https://host:port` or `unix:/path`. `name`: what it is called where the URL has only its
 * address. Throws a `TypeError` that says what is wrong with it.
 */
export function endpointAddress(given: string, name: string | null = null): EndpointAddress {
  if (given.startsWith('unix:')) {
    const path = given.slice(5);
    if (path === '') throw new TypeError('endpoint unix: has no path');
    return { url: given, authority: 'localhost', secureHost: null, connect: { path } };
  }
  const url = URL.parse(given);
  if (url === null) throw new TypeError(`endpoint ${JSON.stringify(given)} is not a URL`);
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:') {
    throw new TypeError(`endpoint ${given} is none of http://, https:// and unix:`);
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new TypeError(`endpoint ${given} may have a host and a port only`);
  }
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const authority = name === null ? url.host : url.port === '' ? name : `${name}:${url.port}`;
  return { url: url.origin, authority, secureHost: secure ? (name ?? host) : null, connect: { host, port } };
}
