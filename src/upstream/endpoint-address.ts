import type { NetConnectOpts } from 'node:net';

/** How to reach one server of an upstream. */
export interface EndpointAddress {
  /** As given, in its normal form: the endpoint's identity. */
  readonly url: string;
  /** Its `host`, where the client's is not preserved. */
  readonly authority: string;
  readonly connect: NetConnectOpts;
}

/** Reads `http://host:port` or `unix:/path`. Throws a `TypeError` that says what is wrong with it. */
export function endpointAddress(given: string): EndpointAddress {
  if (given.startsWith('unix:')) {
    const path = given.slice(5);
    if (path === '') throw new TypeError('upstream: endpoint unix: has no path');
    return { url: given, authority: 'localhost', connect: { path } };
  }
  const url = URL.parse(given);
  if (url === null) throw new TypeError(`upstream: endpoint ${JSON.stringify(given)} is not a URL`);
  if (url.protocol === 'https:') {
    throw new TypeError(`upstream: endpoint ${given}: https is not supported yet, give an http:// endpoint`);
  }
  if (url.protocol !== 'http:') throw new TypeError(`upstream: endpoint ${given} is neither http:// nor unix:`);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new TypeError(`upstream: endpoint ${given} may have a host and a port only`);
  }
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return { url: url.origin, authority: url.host, connect: { host, port: url.port === '' ? 80 : Number(url.port) } };
}
