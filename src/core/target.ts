const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Printable characters without space and `#`: the same bytes in every protocol, so that none means two things to two hops. */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;
const REG_NAME = "(?!:|$)[A-Za-z0-9\\-._~!$&'()*+,;=]*(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\\-._~!$&'()*+,;=]*)*";
const AUTHORITY = new RegExp(`^(?:${REG_NAME}|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]{0,5})?$`);

export const METHOD_MAX_BYTES = 64;

/** A method is a token (RFC 9110 §9.1); longer than 64 bytes there is none. */
export const isMethod = (text: string): boolean => text.length <= METHOD_MAX_BYTES && METHOD.test(text);

/** Whether every character may stand in a request target (RFC 9112 §3.2). */
export const isTargetText = (text: string): boolean => TARGET.test(text);

/** Host and perhaps port, without userinfo (RFC 9110 §4.2.4, §7.2); stricter: an empty host is none. */
export const isAuthority = (text: string): boolean => AUTHORITY.test(text);

/** What CONNECT asks for: host and port, both (RFC 9112 §3.2.3). */
export function isConnectTarget(text: string): boolean {
  const port = text.lastIndexOf(':');
  return isAuthority(text) && port !== -1 && port !== text.length - 1 && !text.endsWith(']');
}
