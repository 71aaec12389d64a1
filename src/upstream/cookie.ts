/** The value of a cookie in a `cookie` field (RFC 6265 §4.2.1); `null` when it was not sent. */
export function cookieValue(cookies: string | null, name: string): string | null {
  for (const pair of (cookies ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return null;
}
