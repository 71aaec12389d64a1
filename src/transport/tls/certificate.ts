import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { PemSource } from '../pem.ts';
import { type CertificateOptions, isPath } from './options.ts';

/** A certificate or key that cannot be used; the message is one line that says where, what and what to do. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** A certificate that has been read and fits its key. */
export interface Certificate {
  /** Where it is from, for messages: the path of its file, or its place in the options. */
  readonly source: string;
  /** PEM: the certificate and its chain. */
  readonly cert: string;
  readonly key: KeyObject;
  readonly keyType: string;
  /** The DNS names of its subjectAltName, lower case. The common name does not count (RFC 9525 §2). */
  readonly names: readonly string[];
  readonly validTo: Date;
}

/** Reads a certificate and its key. `where` names listener and entry. Throws `CertificateError`. */
export function readCertificate(where: string, options: CertificateOptions): Certificate {
  const cert = readPem(`${where}.cert`, options.cert);
  const chain = options.chain === undefined ? null : readPem(`${where}.chain`, options.chain);
  const leaf = parseCertificate(cert);
  const key = readKey(readPem(`${where}.key`, options.key), options.passphrase);
  if (!leaf.checkPrivateKey(key)) {
    throw new CertificateError(
      `${cert.label}: the key does not belong to this certificate; check that both are of one pair`,
    );
  }
  if (leaf.subjectAltName === undefined) {
    const advice = 'clients ignore the common name, so have it issued with the names it is for';
    throw new CertificateError(`${cert.label}: the certificate has no subjectAltName; ${advice}`);
  }
  return {
    source: cert.label,
    cert: chain === null ? cert.text : `${cert.text.trimEnd()}\n${chain.text}`,
    key,
    keyType: key.asymmetricKeyType ?? 'unknown',
    names: splitAltNames(leaf.subjectAltName)
      .filter((name) => name.startsWith('DNS:'))
      .map((name) => name.slice('DNS:'.length).toLowerCase()),
    validTo: leaf.validToDate,
  };
}

/** Reads a bundle of certificate authorities. Throws `CertificateError`. */
export function readBundle(where: string, source: PemSource): string {
  const pem = readPem(where, source);
  parseCertificate(pem);
  return pem.text;
}

/** The entries of a subjectAltName as Node writes it: `DNS:a.example, URI:…`; what has commas in it is quoted. */
export const splitAltNames = (text: string): string[] =>
  [...text.matchAll(/(?:[^",]|"(?:[^"\\]|\\.)*")+/g)].map(([name]) => name.trim());

/** PEM text, and what messages call it. */
interface Pem {
  readonly label: string;
  readonly text: string;
}

function readPem(where: string, source: PemSource): Pem {
  if (typeof source !== 'string') return { label: where, text: Buffer.from(source).toString('latin1') };
  if (!isPath(source)) return { label: where, text: source };
  const label = `${where}: ${source}`;
  try {
    return { label, text: readFileSync(source, 'latin1') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const advice =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'this process may not read it; change its owner or mode'
          : `it cannot be read (${String(code ?? error)})`;
    throw new CertificateError(`${label}: ${advice}`, { cause: error });
  }
}

function parseCertificate({ label, text }: Pem): X509Certificate {
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new CertificateError(`${label}: there is no certificate in it; expected PEM (-----BEGIN CERTIFICATE-----)`);
  }
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new CertificateError(`${label}: its certificate cannot be read; it may be cut short`, { cause: error });
  }
}

function readKey({ label, text }: Pem, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: text, format: 'pem', passphrase });
  } catch (error) {
    const advice = !/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)
      ? 'there is no private key in it; expected PEM (-----BEGIN PRIVATE KEY-----)'
      : text.includes('ENCRYPTED')
        ? passphrase === undefined
          ? 'the key is encrypted; give its passphrase'
          : 'the passphrase does not fit this key'
        : 'the key cannot be read; it may be cut short';
    throw new CertificateError(`${label}: ${advice}`, { cause: error });
  }
}
