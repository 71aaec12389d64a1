import { kind, oneOf, secretText, text } from '../../core/option-kind.ts';
import { type OptionRules, partList, required, withDefaults } from '../../core/options.ts';
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

/** PEM, or the path of a file that holds it. */
export const pemSource = kind(
  'PEM text, or the path of a file with it',
  (value) => (typeof value === 'string' || value instanceof Uint8Array) && value.length > 0,
);

const CERTIFICATE_DEFAULTS: Required<CertificateOptions> = {
  cert: '',
  key: '',
  passphrase: undefined,
  chain: undefined,
};

const CERTIFICATE_RULES: OptionRules<Required<CertificateOptions>> = {
  kinds: { cert: pemSource, key: pemSource, passphrase: text, chain: pemSource },
  relations: [required('cert', pemSource.want), required('key', pemSource.want)],
};

const certificateOptions = (given: object): CertificateOptions =>
  withDefaults<Required<CertificateOptions>>('certificate', CERTIFICATE_DEFAULTS, given, CERTIFICATE_RULES);

const CERTIFICATES = 'at least one, such as { cert: "cert.pem", key: "key.pem" }';

const RULES: OptionRules<TlsOptions> = {
  kinds: {
    certificates: partList(certificateOptions, CERTIFICATES, 1),
    minVersion: oneOf(TLS_VERSIONS),
    clientAuth: oneOf(CLIENT_AUTHS),
    ca: pemSource,
    ticketSecret: secretText(TICKET_SECRET_MIN_CHARS),
  },
  relations: [
    required('certificates', CERTIFICATES),
    {
      of: ['clientAuth', 'ca'],
      fault({ clientAuth, ca }) {
        if (clientAuth === 'none')
          return ca === null ? null : 'ca: has no effect while clientAuth is none; set it to request or require';
        if (ca !== null) return null;
        return `ca: give the authorities that sign client certificates, since clientAuth is ${clientAuth}`;
      },
    },
  ],
};

/** Fills TLS options up. Throws `TypeError` naming every wrong field. Reads no file. */
export const tlsSettings = (what: string, given: Partial<TlsOptions>): TlsOptions =>
  withDefaults(what, TLS_DEFAULTS, given, RULES);

/** The files that these options name: they are read when the options are used, and may change. */
export function filesOf({ certificates, ca }: TlsOptions): string[] {
  const sources = [...certificates.flatMap(({ cert, key, chain }) => [cert, key, chain]), ca];
  return [...new Set(sources.filter((source) => typeof source === 'string').filter(isPath))];
}

/** Whether a source is a path rather than PEM itself. */
export const isPath = (source: string): boolean => !source.includes('-----BEGIN ');
