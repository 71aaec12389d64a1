import { inspect } from 'node:util';
import { withDefaults } from '../../core/options.ts';
import type { PemSource } from '../pem.ts';

/** A certificate and its key. */
export interface CertificateOptions {
  /** The certificate, and after it the intermediate authorities that signed it. */
  readonly cert: PemSource;
  /** Its private key. */
  readonly key: PemSource;
  /** What the key is encrypted with. */
  readonly passphrase?: string | undefined;
  /** The intermediate authorities, where they are not in `cert`. */
  readonly chain?: PemSource | undefined;
}

export const TLS_VERSIONS = ['1.2', '1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

export const CLIENT_AUTHS = ['none', 'request', 'require'] as const;
/** Whether clients show a certificate: they are not asked, they may, or they must. */
export type ClientAuth = (typeof CLIENT_AUTHS)[number];

/** TLS on a listener. `null` is off. */
export interface TlsOptions {
  /** Chosen by the name the client asks for; the first is for everybody else. */
  certificates: readonly CertificateOptions[];
  minVersion: TlsVersion;
  clientAuth: ClientAuth;
  /** The authorities that sign client certificates. */
  ca: PemSource | null;
  /** How long session tickets are made with the same key. Tickets of the key before are taken too. */
  ticketRotateMs: number;
  /** What ticket keys are derived from: processes with the same secret take each other's tickets. Default: random. */
  ticketSecret: string | null;
  /** From accept to the end of the handshake. */
  handshakeTimeoutMs: number;
  /**
   * Handshakes in progress, counted from the client's first message. One more gets the place of one that has been silent
   * for a second, or is closed before any cryptography.
   */
  handshakeMaxCount: number;
  /** Handshakes that begin in a second; one more is closed. */
  handshakeMaxPerSec: number | null;
  /** Files that change are read again. */
  watch: boolean;
}

export const TLS_DEFAULTS: Readonly<TlsOptions> = {
  certificates: [],
  minVersion: '1.2',
  clientAuth: 'none',
  ca: null,
  ticketRotateMs: 43_200_000,
  ticketSecret: null,
  handshakeTimeoutMs: 10_000,
  handshakeMaxCount: 1000,
  handshakeMaxPerSec: null,
  watch: true,
};

/** A shorter secret can be guessed. */
export const TICKET_SECRET_MIN_CHARS = 32;

/** Fills TLS options up. Throws `TypeError` naming every wrong field. Reads no file. */
export function tlsSettings(what: string, given: Partial<TlsOptions>): TlsOptions {
  const settings = withDefaults(what, TLS_DEFAULTS, given, ['handshakeMaxPerSec']);
  const wrong = [
    ...certificateFaults(settings.certificates),
    ...choiceFaults('minVersion', settings.minVersion, TLS_VERSIONS),
    ...choiceFaults('clientAuth', settings.clientAuth, CLIENT_AUTHS),
    ...(settings.clientAuth !== 'none' && settings.ca === null
      ? [`ca: give the authorities that sign client certificates, since clientAuth is ${settings.clientAuth}`]
      : []),
    ...(settings.clientAuth === 'none' && settings.ca !== null
      ? ['ca: has no effect while clientAuth is none; set it to request or require']
      : []),
    ...(settings.ticketRotateMs > 0 ? [] : ['ticketRotateMs: give more than 0']),
    ...(settings.ticketSecret !== null && settings.ticketSecret.length < TICKET_SECRET_MIN_CHARS
      ? [`ticketSecret: give at least ${TICKET_SECRET_MIN_CHARS} characters`]
      : []),
    ...(typeof settings.watch === 'boolean' ? [] : ['watch: give true or false']),
  ];
  if (wrong.length > 0) throw new TypeError(`${what}: ${wrong.join('; ')}`);
  return settings;
}

const CERTIFICATE_KEYS: readonly string[] = ['cert', 'key', 'passphrase', 'chain'];

function certificateFaults(certificates: readonly CertificateOptions[]): string[] {
  if (!Array.isArray(certificates) || certificates.length === 0) {
    return ['certificates: give at least one, such as { cert: "cert.pem", key: "key.pem" }'];
  }
  return certificates.flatMap((given: unknown, index) => {
    const where = `certificates[${index}]`;
    if (typeof given !== 'object' || given === null) return [`${where}: give { cert, key }`];
    const missing = ['cert', 'key'].filter((name) => !isPem(Reflect.get(given, name)));
    const unknown = Object.keys(given).filter((name) => !CERTIFICATE_KEYS.includes(name));
    return [
      ...missing.map((name) => `${where}.${name}: give PEM text, or the path of a file with it`),
      ...unknown.map((name) => `${where}.${name}: no such option`),
    ];
  });
}

const isPem = (value: unknown): boolean =>
  (typeof value === 'string' && value !== '') || (value instanceof Uint8Array && value.length > 0);

function choiceFaults(name: string, value: string, choices: readonly string[]): string[] {
  return choices.includes(value) ? [] : [`${name}: ${inspect(value)} is none of ${choices.join(', ')}`];
}

/** The files that these options name: they are read when the options are used, and may change. */
export function filesOf({ certificates, ca }: TlsOptions): string[] {
  const sources = [...certificates.flatMap(({ cert, key, chain }) => [cert, key, chain]), ca];
  return [...new Set(sources.filter((source) => typeof source === 'string').filter(isPath))];
}

/** Whether a source is a path rather than PEM itself. */
export const isPath = (source: string): boolean => !source.includes('-----BEGIN ');
