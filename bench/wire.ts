/**
 * How a server is spoken to. `http` and `https` are HTTP/1.1. `h2` is HTTP/2 over TLS, agreed on by ALPN; `h2c` is HTTP/2
 * in plaintext, by prior knowledge.
 */
export type Wire = 'http' | 'https' | 'h2' | 'h2c';

export const isTls = (wire: Wire): boolean => wire === 'https' || wire === 'h2';

export const isHttp2 = (wire: Wire): boolean => wire === 'h2' || wire === 'h2c';

export const originOf = (wire: Wire, port: number): string => `${isTls(wire) ? 'https' : 'http'}://127.0.0.1:${port}`;

/** What everybody agrees on in a TLS handshake: the load offers nothing else, so that nobody has a cheaper cipher. */
export const TLS_VERSION = 'TLSv1.3';
export const TLS_CIPHER = 'TLS_AES_128_GCM_SHA256';
export const TLS_GROUP = 'X25519';
