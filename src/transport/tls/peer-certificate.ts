import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { PeerCertificate } from '../../core/message.ts';
import { splitAltNames } from './certificate.ts';

/** A client certificate as handlers see it. */
export const peerCertificate = (certificate: X509Certificate, verified: boolean): PeerCertificate => ({
  subject: certificate.subject,
  issuer: certificate.issuer,
  subjectAltNames: certificate.subjectAltName === undefined ? [] : splitAltNames(certificate.subjectAltName),
  fingerprint256: certificate.fingerprint256,
  verified,
});

/** Whether OpenSSL has verified the certificate of the other side. */
export function isVerified(socket: TLSSocket): boolean {
  // `authorized` is set only on sockets of Node's own TLS server; this (private) verdict is where it gets it from. Without
  // it nobody is verified.
  const handle: unknown = Reflect.get(socket, '_handle');
  const ask: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'verifyError') : undefined;
  return typeof ask === 'function' && Reflect.apply(ask, handle, []) === null;
}
