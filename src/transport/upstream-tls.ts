import { isIP, type NetConnectOpts } from 'node:net';
import { checkServerIdentity, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { oneOf, text } from '../core/option-kind.ts';
import { withDefaults } from '../core/options.ts';
import { type PemSource, readCertificates, readPem } from './pem.ts';
import { pemSource, TLS_VERSIONS, type TlsVersion } from './tls/options.ts';

/** How connections to an upstream's `https` endpoints are secured. */
export interface UpstreamTlsOptions {
  /** Certificates of the authorities to trust; `null`: those that Node.js trusts. */
  ca: PemSource | null;
  /** The certificate that we show to servers that ask for one, and its chain. */
  cert: PemSource | null;
  /** The certificate's private key. */
  key: PemSource | null;
  /** What the key is encrypted with. */
  passphrase: string | null;
  /** The name that the server is asked for (SNI), and that its certificate must be for; `null`: the endpoint's host. */
  serverName: string | null;
  /** Whether a server's certificate must be valid, for its name, and signed by a trusted authority. */
  verify: boolean;
  minVersion: TlsVersion;
}

export const UPSTREAM_TLS_DEFAULTS: Readonly<UpstreamTlsOptions> = {
  ca: null,
  cert: null,
  key: null,
  passphrase: null,
  serverName: null,
  verify: true,
  minVersion: '1.2',
};

const KINDS = {
  ca: pemSource,
  cert: pemSource,
  key: pemSource,
  passphrase: text,
  serverName: text,
  minVersion: oneOf(TLS_VERSIONS),
};

/** Fills options up. Throws `TypeError` naming every wrong field. Reads no file. */
export const upstreamTlsOptions = (given?: Partial<UpstreamTlsOptions>): UpstreamTlsOptions =>
  withDefaults('tls', UPSTREAM_TLS_DEFAULTS, given, { kinds: KINDS });

/** What the connections of an upstream have in common: whom they trust, and who we are. */
export class UpstreamTls {
  readonly context: SecureContext;
  readonly serverName: string | null;
  readonly verify: boolean;

  /** Reads the files that are named. Throws a `TypeError` that begins with `what`. */
  constructor(what: string, { ca, cert, key, minVersion, passphrase, serverName, verify }: UpstreamTlsOptions) {
    if ((cert === null) !== (key === null)) {
      throw new TypeError(`${what}: ${cert === null ? 'a key needs a cert' : 'a cert needs a key'}`);
    }
    const options = {
      minVersion: `TLSv${minVersion}` as const,
      ...(ca === null ? {} : { ca: readCertificates(`${what}: ca`, ca) }),
      ...(cert === null ? {} : { cert: readCertificates(`${what}: cert`, cert) }),
      ...(key === null ? {} : { key: readPem(`${what}: key`, key) }),
      ...(passphrase === null ? {} : { passphrase }),
    };
    try {
      this.context = createSecureContext(options);
    } catch (error) {
      // OpenSSL's own word: `key values mismatch`, `bad decrypt`.
      throw new TypeError(`${what}: cert, key and passphrase do not fit together: ${reason(error)}`, { cause: error });
    }
    this.serverName = serverName;
    this.verify = verify;
  }
}

/** One server that is reached by TLS. Remembers the last session, so that the next handshake is a cheap one. */
export class TlsServer {
  private readonly tls: UpstreamTls;
  private readonly name: string;
  private readonly alpnProtocols: readonly string[];
  private session: Buffer | undefined;

  /** `alpnProtocols`: what is offered, the preferred one first (RFC 7301). */
  constructor(tls: UpstreamTls, host: string, alpnProtocols: readonly string[]) {
    this.tls = tls;
    this.name = tls.serverName ?? host;
    this.alpnProtocols = alpnProtocols;
  }

  /** Begins to connect. The socket is ready at `secureConnect`; an `error` before that is explained by `explain`. */
  connect(address: NetConnectOpts): TLSSocket {
    const { context, verify } = this.tls;
    const socket = connect({
      ...address,
      secureContext: context,
      // An address is no name, and is not sent (RFC 6066 §3).
      servername: isIP(this.name) === 0 ? this.name : '',
      rejectUnauthorized: verify,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(this.name, certificate),
      ALPNProtocols: [...this.alpnProtocols],
      ...(this.session === undefined ? {} : { session: this.session }),
    });
    // Node tells of a session when the server has been verified, so that resuming one vouches for no stranger.
    socket.on('session', (session) => {
      this.session = session;
    });
    const forget = (): void => {
      this.session = undefined;
    };
    socket.once('error', forget);
    socket.once('secureConnect', () => socket.off('error', forget));
    // Only TCP knows a reset, and Node throws. A server sees the missing close_notify instead.
    socket.resetAndDestroy = () => socket.destroy();
    return socket;
  }

  /** Why a handshake failed, in a line for the operator. */
  explain(error: Error): string {
    const code = 'code' in error ? String(error.code) : '';
    const detail =
      code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? `its certificate is not for ${this.name}: ${reason(error)}` : undefined;
    const said = detail ?? EXPLANATIONS[code] ?? reason(error);
    return code === '' ? said : `${said} (${code})`;
  }
}

const UNTRUSTED = 'its certificate is not signed by an authority that is trusted here';

/** By the codes of Node and OpenSSL. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  ECONNRESET: 'it closed the connection during the handshake',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on this port',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'it speaks none of the protocols that were offered',
};

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}
