import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { der, distinguished, extension, generalName, oid, pem, sequence, time } from './der.ts';

/**
 * Certificates for tests, made in memory when they are asked for; no tool and no file is needed. A P-256 one takes less
 * than a millisecond, and `TEST_AUTHORITY` is made once per process.
 *
 *     const { cert, key } = TEST_AUTHORITY.issue({ names: ['localhost', '127.0.0.1'] });
 *     serve({ listeners: [{ bind, tls: { certificates: [{ cert, key }] } }], … });
 *     tls.connect({ ca: TEST_AUTHORITY.cert, servername: 'localhost', … });
 */
export interface TestCertificate {
  /** PEM: the certificate, then the intermediate authorities up to (not with) the root. */
  readonly cert: string;
  /** PEM (PKCS #8). */
  readonly key: string;
}

export interface IssueOptions {
  /** DNS names and IP addresses of the subjectAltName; empty for a certificate without one. Default `['localhost']`. */
  readonly names?: readonly string[];
  /** Default: the first of `names`. */
  readonly commonName?: string;
  /** Default `ec` (P-256); `rsa` (2048 bit) takes tens of milliseconds. */
  readonly keyType?: 'ec' | 'rsa';
  /** When it begins to be valid, and ceases. Default: from an hour ago, for ten years. */
  readonly validFrom?: Date;
  readonly validTo?: Date;
  /** Encrypts the key's PEM. */
  readonly passphrase?: string;
}

/** Signs certificates. */
export class TestAuthority {
  /** PEM: what clients trust, for a root; else what comes before the root in a chain. */
  readonly cert: string;
  private readonly name: string;
  private readonly key: KeyObject;
  private readonly keyId: Buffer;
  private readonly chain: string;

  /** A root, or an intermediate authority under `issuer`. */
  constructor(name: string, issuer: TestAuthority | null = null) {
    const { publicKey, privateKey } = keyPair('ec');
    this.name = name;
    this.key = privateKey;
    this.keyId = keyId(publicKey);
    const extensions = [
      extension('2.5.29.19', sequence(der(0x01, Buffer.from([0xff]))), true),
      extension('2.5.29.15', der(0x03, Buffer.from([0x01, 0x06])), true), // keyCertSign, cRLSign
    ];
    const signer = issuer ?? this;
    this.cert = pem(signer.signed(name, publicKey, extensions, {}));
    this.chain = issuer === null ? '' : this.cert + issuer.chain;
  }

  issue(options: IssueOptions = {}): TestCertificate {
    const { names = ['localhost'], keyType = 'ec', passphrase } = options;
    const { publicKey, privateKey } = keyPair(keyType);
    const extensions = names.length === 0 ? [] : [extension('2.5.29.17', sequence(...names.map(generalName)))];
    const cert = pem(this.signed(options.commonName ?? names[0] ?? 'unnamed', publicKey, extensions, options));
    const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
    const key = privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }).toString();
    return { cert: cert + this.chain, key };
  }

  private signed(name: string, publicKey: KeyObject, extensions: readonly Buffer[], options: IssueOptions): Buffer {
    const { validFrom = new Date(Date.now() - 3_600_000), validTo = new Date(Date.now() + 3_650 * 86_400_000) } =
      options;
    const algorithm = sequence(oid('1.2.840.10045.4.3.2')); // ecdsa-with-SHA256
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const identifiers = [
      extension('2.5.29.14', der(0x04, keyId(publicKey))),
      extension('2.5.29.35', sequence(der(0x80, this.keyId))),
    ];
    const body = sequence(
      der(0xa0, der(0x02, Buffer.from([2]))),
      der(0x02, Buffer.concat([Buffer.from([0x40]), randomBytes(8)])),
      algorithm,
      distinguished(this.name),
      sequence(time(validFrom), time(validTo)),
      distinguished(name),
      spki,
      der(0xa3, sequence(...extensions, ...identifiers)),
    );
    const signature = sign('sha256', body, this.key);
    return sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  }
}

/** The root that clients in tests trust. */
export const TEST_AUTHORITY = new TestAuthority('Sluice test authority');

/** The certificate for `localhost`, `127.0.0.1` and `::1` that most tests want. */
export const LOCALHOST = TEST_AUTHORITY.issue({ names: ['localhost', '127.0.0.1', '::1'] });

function keyPair(type: 'ec' | 'rsa') {
  return type === 'ec'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function keyId(publicKey: KeyObject): Buffer {
  return createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}
