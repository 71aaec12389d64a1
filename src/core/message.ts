import { type Duplex, Readable } from 'node:stream';
import { IncomingBody } from './body.ts';
import type { HeaderFields, HeaderSource } from './headers.ts';

/** Who is on the other end of a connection. */
export interface Peer {
  /** IP address, or `unix:` for a unix socket. */
  readonly address: string;
  readonly port: number;
  /** The bytes between us are encrypted. */
  readonly secure: boolean;
  /** What it has shown in its TLS handshake; `null` when nothing. Never taken from a header. */
  readonly certificate: PeerCertificate | null;
}

/** A client certificate, from the TLS handshake. */
export interface PeerCertificate {
  /** As OpenSSL writes it, a line for each attribute: `CN=alice`. */
  readonly subject: string;
  readonly issuer: string;
  /** As `DNS:a.example`, `URI:spiffe://…`, one for each name. */
  readonly subjectAltNames: readonly string[];
  /** SHA-256 over the certificate, upper-case hexadecimal with colons. */
  readonly fingerprint256: string;
  /** A certificate authority that the listener trusts has signed it. */
  readonly verified: boolean;
}

/** A response body: whole, or coming in pieces. Strings are sent as UTF-8. Node and web streams are async iterables. */
export type ResponseBody = string | Uint8Array | IncomingBody | AsyncIterable<Uint8Array | string>;

/**
 * Takes the raw connection over once the head is sent; `firstBytes` is what the peer has sent after its request. The
 * socket does not flow, so that nothing is lost until the new owner listens for `data`, reads or pipes it, as after
 * `upgrade` in Node. A throw ends the connection.
 */
export type Takeover = (socket: Duplex, firstBytes: Uint8Array) => void;

/** A drain has begun, and this stream will be cut off. */
export interface DrainNotice {
  /** Time that is left to say goodbye. */
  readonly graceMs: number;
}

/** What a handler answers. A Fetch `Response` is one too. */
export interface HttpResponse {
  /** 200 to 599; 101 only with `takeover`. */
  readonly status: number;
  readonly headers?: HeaderSource | undefined;
  readonly body?: ResponseBody | null | undefined;
  /** Fields to send after a streamed body (RFC 9110 §6.5); asked when the body has ended. */
  readonly trailers?: (() => HeaderFields | null) | undefined;
  /** For 101, and 2xx to CONNECT: the connection stops being HTTP. */
  readonly takeover?: Takeover | undefined;
  /**
   * Set by a response that goes on for long: server-sent events, a WebSocket, a tunnel. It is told when a drain begins,
   * once, and is cut off at the drain's `streamGraceMs` rather than at its `graceMs`.
   */
  readonly onDrain?: ((drain: DrainNotice) => void) | undefined;
  /** Set on replies that never change: where an engine keeps the serialised form. */
  readonly prepared?: PreparedReply | undefined;
}

/** The serialised form of a reply that never changes, good for as long as the `date` value is the same. */
export class PreparedReply {
  date = '';
  text = '';
}

/** An informational response (RFC 9110 §15.2), such as 103 Early Hints. */
export interface InformationalResponse {
  readonly status: number;
  readonly headers?: HeaderSource | undefined;
}

/** Gives a body back unread: its sender may stop. */
export function discardBody(body: ResponseBody | null | undefined): void {
  if (body === null || body === undefined || typeof body === 'string' || body instanceof Uint8Array) return;
  if (body instanceof IncomingBody) {
    body.cancel();
    return;
  }
  // A source that is given up has nothing more to tell; its own error is not ours to report.
  if (body instanceof Readable) body.on('error', () => undefined).destroy();
  else Promise.try(() => body[Symbol.asyncIterator]().return?.()).catch(() => undefined);
}
