/**
 * 25 headers as a browser sends them with each request. h2load repeats all of them; it puts most into the table that
 * HPACK (RFC 7541) keeps, and sends four in full each time, as if they had changed: `authorization`, `if-modified-since`,
 * `if-none-match` and the path.
 */
export const BROWSER_HEADERS: Readonly<Record<string, string>> = {
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'accept-encoding': 'gzip, deflate, br, zstd',
  'accept-language': 'en-GB,en;q=0.9,de;q=0.8,fr;q=0.7',
  authorization: 'Bearer 4f1c9a0d7b3e4e6f8a2b5c6d7e8f9a0b1c2d3e4f5a6b7c8d',
  'cache-control': 'max-age=0',
  cookie: 'session=4f1c9a0d7b3e4e6f8a2b5c6d7e8f9a0b; theme=dark; consent=yes; visited=2026-01-15T10:20:30Z',
  dnt: '1',
  'if-modified-since': 'Thu, 15 Jan 2026 10:20:30 GMT',
  'if-none-match': '"5f3a-64b1c2d3e4f50"',
  origin: 'https://www.example.com',
  pragma: 'no-cache',
  priority: 'u=0, i',
  referer: 'https://www.example.com/catalogue/items?page=3',
  'sec-ch-ua': '"Chromium";v="142", "Not?A_Brand";v="24"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'same-origin',
  'sec-fetch-user': '?1',
  'sec-gpc': '1',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'upgrade-insecure-requests': '1',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'x-requested-with': 'XMLHttpRequest',
};

/** Pages of a catalogue, to be asked for in turn. */
export const CATALOGUE_PATHS: readonly string[] = Array.from(
  { length: 50 },
  (_, index) => `/catalogue/items?page=${index}&sort=price&session=${(index * 2_654_435_761).toString(16)}`,
);
