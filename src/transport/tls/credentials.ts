import { constants, createHash } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type Certificate, CertificateError, readBundle, readCertificate } from './certificate.ts';
import type { ClientHello } from './client-hello.ts';
import type { TlsOptions } from './options.ts';
import type { TicketKeys } from './tickets.ts';

/** Authenticated encryption with forward secrecy only; TLS 1.3 has nothing else. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** A session that is resumed is not verified again, so with client certificates it does not live long. */
const VERIFIED_SESSION_MAX_SEC = 300;
/** RFC 8446 §4.6.1: tickets live for seven days at most. */
const SESSION_MAX_SEC = 604_800;

/** The certificates of a listener, ready for handshakes. Never changes: a hot swap puts others in its place. */
export class Credentials {
  readonly certificates: readonly Certificate[];
  /** PEM: the authorities that sign client certificates; empty for none. */
  readonly bundle: string;
  private readonly tickets: TicketKeys;
  private readonly options: SecureContextOptions;
  private readonly exact = new Map<string, Identity>();
  /** By what follows the `*.`. */
  private readonly wildcards = new Map<string, Identity>();
  private readonly byDefault: Identity;

  /** `where` names the listener in errors. Reads the files. Throws `CertificateError`. */
  constructor(where: string, settings: TlsOptions, tickets: TicketKeys, wallMs: number) {
    this.tickets = tickets;
    this.bundle = settings.ca === null ? '' : readBundle(`${where}: ca`, settings.ca);
    this.certificates = settings.certificates.map((certificate, index) =>
      readCertificate(`${where}: certificates[${index}]`, certificate),
    );
    this.options = contextOptions(settings, this.bundle);
    const identities = new Map<string, Identity>();
    const identityOf = (certificates: readonly Certificate[]): Identity => {
      const id = certificates.map((certificate) => this.certificates.indexOf(certificate)).join();
      const identity = identities.get(id) ?? new Identity(certificates);
      identities.set(id, identity);
      return identity;
    };
    for (const name of new Set(this.certificates.flatMap(({ names }) => names))) {
      const identity = identityOf(onePerKeyType(this.certificates.filter(({ names }) => names.includes(name))));
      if (name.startsWith('*.')) this.wildcards.set(name.slice(2), identity);
      else this.exact.set(name, identity);
    }
    const [first] = this.certificates;
    if (first === undefined) throw new CertificateError(`${where}: there is no certificate`);
    // Another one for the same names and with another type of key stands beside the first.
    const alike = ({ names }: Certificate): boolean => first.names.every((name) => names.includes(name));
    this.byDefault = identityOf(first.names.length === 0 ? [first] : onePerKeyType(this.certificates.filter(alike)));
    const period = tickets.periodAt(wallMs);
    for (const identity of identities.values()) this.make(identity, period);
  }

  /** What a client meets: the certificate for the name it asks for, and the key its ticket was made with. */
  contextFor({ serverName, ticket }: ClientHello, wallMs: number): SecureContext {
    const period = this.tickets.periodOf(ticket, this.tickets.periodAt(wallMs));
    const identity = serverName === null ? this.byDefault : this.identityFor(serverName);
    return identity.contexts.get(period) ?? this.make(identity, period);
  }

  private identityFor(name: string): Identity {
    // A wildcard stands for one label, the left-most (RFC 9525 §6.3).
    const dot = name.indexOf('.');
    const wildcard = dot === -1 ? undefined : this.wildcards.get(name.slice(dot + 1));
    return this.exact.get(name) ?? wildcard ?? this.byDefault;
  }

  private make(identity: Identity, period: number): SecureContext {
    const { certificates, contexts } = identity;
    const cert = certificates.map((certificate) => certificate.cert);
    const key = certificates.map((certificate) => certificate.key.export({ type: 'pkcs8', format: 'pem' }));
    try {
      const context = createSecureContext({ ...this.options, cert, key, ticketKeys: this.tickets.key(period) });
      for (const other of contexts.keys()) if (Math.abs(other - period) > 1) contexts.delete(other);
      contexts.set(period, context);
      return context;
    } catch (error) {
      const source = certificates.map((certificate) => certificate.source).join(' and ');
      const advice = error instanceof Error ? error.message : String(error);
      throw new CertificateError(`${source}: OpenSSL does not take it: ${advice}`, { cause: error });
    }
  }
}

/** Certificates that stand for the same name, and their contexts by the period of the ticket key. */
class Identity {
  readonly certificates: readonly Certificate[];
  readonly contexts = new Map<number, SecureContext>();

  constructor(certificates: readonly Certificate[]) {
    this.certificates = certificates;
  }
}

/** The first of each type of key: OpenSSL serves the one that the client can verify. */
function onePerKeyType(certificates: readonly Certificate[]): Certificate[] {
  return certificates.filter(
    ({ keyType }, index) => certificates.findIndex((other) => other.keyType === keyType) === index,
  );
}

function contextOptions(settings: TlsOptions, ca: string): SecureContextOptions {
  const rotateSec = Math.ceil(settings.ticketRotateMs / 1000);
  const maxSec = settings.clientAuth === 'none' ? SESSION_MAX_SEC : VERIFIED_SESSION_MAX_SEC;
  return {
    ciphers: CIPHERS,
    minVersion: settings.minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    secureOptions:
      constants.SSL_OP_NO_RENEGOTIATION |
      constants.SSL_OP_CIPHER_SERVER_PREFERENCE |
      constants.SSL_OP_PRIORITIZE_CHACHA,
    // None where none is asked for: Node's own list of authorities would be loaded otherwise.
    ca: ca === '' ? [] : [ca],
    sessionTimeout: Math.min(rotateSec, maxSec),
    // A ticket is good only where clients are verified by the same rule: it carries the verdict of its first handshake.
    sessionIdContext: createHash('sha256').update(`${settings.clientAuth}\n${ca}`).digest('hex').slice(0, 32),
  };
}
