import { z } from 'zod';
import {
  type CertificateOptions,
  CLIENT_AUTHS,
  TICKET_SECRET_MIN_CHARS,
  TLS_DEFAULTS,
  TLS_VERSIONS,
  type TlsOptions,
  tlsSettings,
} from '../../transport/tls/options.ts';
import { consistent, count, milliseconds, offable, perSec, required, setting, text } from './unit.ts';

const certificate = {
  cert: required(text, 'The certificate, and after it those that signed it: a PEM file, or PEM itself.'),
  key: required(text, 'Its private key: a PEM file, or PEM itself.'),
  passphrase: setting(text, 'What the key is encrypted with.'),
  chain: setting(text, 'The certificates that signed it, where they are not in `cert`.'),
} satisfies Record<keyof CertificateOptions, z.ZodType>;

const SECRET = `text of at least ${TICKET_SECRET_MIN_CHARS} characters`;

const options = {
  certificates: required(
    z.array(z.strictObject(certificate)).min(1),
    'Chosen by the name that the client asks for; the first is for everybody else.',
  ),
  minVersion: setting(
    z.enum(TLS_VERSIONS),
    'The oldest version that is spoken, in quotes: `"1.2"`.',
    TLS_DEFAULTS.minVersion,
  ),
  clientAuth: setting(
    z.enum(CLIENT_AUTHS),
    'Whether clients show a certificate: they are not asked, they may, or they must.',
    TLS_DEFAULTS.clientAuth,
  ),
  ca: setting(text, 'The authorities that sign client certificates: a PEM file, or PEM itself.'),
  ticketRotateMs: setting(
    milliseconds,
    'How long session tickets are made with the same key. Tickets of the key before are taken too.',
    TLS_DEFAULTS.ticketRotateMs,
  ),
  ticketSecret: setting(
    z.string(SECRET).min(TICKET_SECRET_MIN_CHARS, SECRET),
    'What ticket keys are derived from: processes with the same secret and rotation take each other’s tickets. Default: random.',
  ),
  handshakeTimeoutMs: setting(
    milliseconds,
    'From accept to the end of the handshake. Over it: close.',
    TLS_DEFAULTS.handshakeTimeoutMs,
  ),
  handshakeMaxCount: setting(
    count,
    'Handshakes in progress, counted from the first message of the client. One more gets the place of one that has been silent for a second, or is closed before any cryptography.',
    TLS_DEFAULTS.handshakeMaxCount,
  ),
  handshakeMaxPerSec: offable(
    perSec,
    'Handshakes that begin in a second. One more is closed before any cryptography.',
    TLS_DEFAULTS.handshakeMaxPerSec,
  ),
  watch: setting(z.boolean(), 'Files that change are read again, without a reload.', TLS_DEFAULTS.watch),
} satisfies Record<keyof TlsOptions, z.ZodType>;

/** TLS on a listener. */
export const tls = consistent(z.strictObject(options), (given) => tlsSettings('tls', given));
