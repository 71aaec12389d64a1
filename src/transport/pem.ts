import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isPath } from './tls/options.ts';

/** PEM (RFC 7468): as bytes, as text with a `-----BEGIN` in it, or the path of a file that holds it. */
export type PemSource = string | Uint8Array;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The text of a source. A relative path begins at `folder`. Throws a `TypeError` that begins with `what`. */
export function readPem(what: string, source: PemSource, folder = '.'): string {
  if (typeof source !== 'string') return Buffer.from(source).toString('latin1');
  if (!isPath(source)) return source;
  const file = resolve(folder, source);
  const text = readText(what, file);
  if (isPath(text)) throw new TypeError(`${what}: ${file} is not PEM: there is no -----BEGIN in it`);
  return text;
}

function readText(what: string, file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw new TypeError(`${what}: ${file} cannot be read: ${why(error)}`, { cause: error });
  }
}

/** As `readPem`, and makes sure that there are certificates in it: OpenSSL would pass over what is none. */
export function readCertificates(what: string, source: PemSource): string {
  const text = readPem(what, source);
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw new TypeError(`${what}: there is no certificate (PEM) in it`);
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      throw new TypeError(`${what}: certificate ${index + 1} in it is not valid`, { cause: error });
    }
  }
  return text;
}

function why(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && error.code === 'ENOENT' ? 'there is no such file' : error.message;
}
