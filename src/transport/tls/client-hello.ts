/** What a client says first, as far as it decides which credentials it meets (RFC 8446 §4.1.2). */
export interface ClientHello {
  /** The name it asks for (RFC 6066 §3), lower case; `null` when it asks for none. */
  readonly serverName: string | null;
  /** The session ticket it comes back with, where it has one. */
  readonly ticket: Buffer | null;
}

const NOTHING: ClientHello = { serverName: null, ticket: null };

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_RECORD = 22;
const HANDSHAKE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;
/** A longer one is not read here: it gets the default credentials, and OpenSSL judges it. */
const HELLO_MAX_BYTES = 16_384;

const SERVER_NAME = 0;
const SESSION_TICKET = 35;
const PRE_SHARED_KEY = 41;

/**
 * Reads the first message of a TLS connection out of its first bytes. `incomplete` asks for more of them; `not-tls` says
 * that this is something else. Whether the message is valid is left to OpenSSL, which gets the same bytes.
 */
export function readClientHello(bytes: Buffer): ClientHello | 'incomplete' | 'not-tls' {
  const fragments: Buffer[] = [];
  let heldBytes = 0;
  for (let at = 0; ; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return at === 0 ? 'not-tls' : NOTHING;
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return at === 0 ? 'not-tls' : NOTHING;
    if (at + RECORD_HEADER_BYTES > bytes.length) return 'incomplete';
    const end = at + RECORD_HEADER_BYTES + bytes.readUInt16BE(at + 3);
    const fragment = bytes.subarray(at + RECORD_HEADER_BYTES, end);
    fragments.push(fragment);
    heldBytes += fragment.length;
    const message = fragments.length === 1 ? fragment : Buffer.concat(fragments);
    if (heldBytes >= HANDSHAKE_HEADER_BYTES) {
      const messageBytes = HANDSHAKE_HEADER_BYTES + message.readUIntBE(1, 3);
      if (message[0] !== CLIENT_HELLO || messageBytes > HELLO_MAX_BYTES) return NOTHING;
      if (heldBytes >= messageBytes) return parse(message.subarray(HANDSHAKE_HEADER_BYTES, messageBytes));
    }
    // Records without content would keep us here for ever.
    if (end > bytes.length || fragment.length === 0) return end > bytes.length ? 'incomplete' : NOTHING;
    at = end;
  }
}

function parse(message: Buffer): ClientHello {
  try {
    // Version, random, session id, cipher suites, compression methods; each read throws beyond the end.
    let at = 2 + 32;
    at += 1 + message.readUInt8(at);
    at += 2 + message.readUInt16BE(at);
    at += 1 + message.readUInt8(at);
    return at === message.length
      ? NOTHING
      : parseExtensions(message.subarray(at + 2, at + 2 + message.readUInt16BE(at)));
  } catch (error) {
    if (error instanceof RangeError) return NOTHING;
    throw error;
  }
}

function parseExtensions(extensions: Buffer): ClientHello {
  let serverName: string | null = null;
  let ticket: Buffer | null = null;
  for (let at = 0; at < extensions.length; ) {
    const type = extensions.readUInt16BE(at);
    const data = extensions.subarray(at + 4, at + 4 + extensions.readUInt16BE(at + 2));
    at += 4 + data.length;
    if (type === SERVER_NAME) serverName = parseServerName(data);
    else if (type === SESSION_TICKET && data.length > 0) ticket = data;
    // The list of identities and the first one are each preceded by their length (RFC 8446 §4.2.11).
    else if (type === PRE_SHARED_KEY) ticket = data.subarray(4, 4 + data.readUInt16BE(2));
  }
  return { serverName, ticket };
}

/** A list of one entry: its type, which is 0 for a host name, and the name. */
function parseServerName(data: Buffer): string | null {
  if (data.length === 0 || data.readUInt8(2) !== 0) return null;
  return data.toString('latin1', 5, 5 + data.readUInt16BE(3)).toLowerCase();
}
