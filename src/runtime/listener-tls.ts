import { resolve } from 'node:path';
import { Credentials } from '../transport/tls/credentials.ts';
import { isPath, type TlsOptions, tlsSettings } from '../transport/tls/options.ts';
import { TicketKeys } from '../transport/tls/tickets.ts';
import type { Config } from './schema.ts';

type TlsConfig = NonNullable<Config['listeners'][number]['tls']>;

/** The same with absolute paths: those of a configuration are relative to its file. */
export function inFolder(tls: TlsConfig, folder: string): Partial<TlsOptions> {
  const absolute = (source: string): string => (isPath(source) ? resolve(folder, source) : source);
  const certificates = tls.certificates.map(({ cert, key, chain, ...rest }) => ({
    ...rest,
    cert: absolute(cert),
    key: absolute(key),
    ...(chain === undefined ? {} : { chain: absolute(chain) }),
  }));
  return { ...tls, certificates, ...(tls.ca === undefined ? {} : { ca: absolute(tls.ca) }) };
}

/** Reads all that is named. Returns what is suspicious but works. Throws `CertificateError` on what does not. */
export function checkCertificates(where: string, tls: Partial<TlsOptions>): string[] {
  const settings = tlsSettings(where, tls);
  const tickets = new TicketKeys(settings.ticketRotateMs, settings.ticketSecret);
  const { certificates } = new Credentials(where, settings, tickets, Date.now());
  return certificates
    .filter(({ validTo }) => validTo.getTime() <= Date.now())
    .map(({ source, validTo }) => `${source}: the certificate expired on ${validTo.toISOString()}; renew it`);
}
