import { createHmac, randomBytes } from 'node:crypto';
import { secretText, token } from '../core/option-kind.ts';
import { withDefaults } from '../core/options.ts';
import type { HttpRequest } from '../core/request.ts';
import { cookieValue } from './cookie.ts';
import type { Endpoint } from './endpoint.ts';

/** Keeps a client with the endpoint that has answered it first, by a cookie. */
export interface StickyOptions {
  /** The name of the cookie. */
  cookie: string;
  /**
   * What the cookie's values are made from. Processes and proxies that share it know each other's cookies. `null`: made
   * at the start, and known to this process only.
   */
  secret: string | null;
}

export const STICKY_DEFAULTS: Readonly<StickyOptions> = { cookie: 'sluice-endpoint', secret: null };

/** Shorter ones can be found out by trying. */
export const STICKY_SECRET_MIN_CHARS = 16;

/** Kept when an upstream is made anew, so that a reload moves nobody. */
const OWN_SECRET = randomBytes(32);
/** 96 bits: enough that nobody finds the value of another endpoint. */
const TOKEN_BYTES = 12;

const KINDS = {
  cookie: token('a name of a cookie'),
  secret: secretText(STICKY_SECRET_MIN_CHARS),
};

/** Fills it up. Throws `TypeError` naming every wrong field. */
export const stickySettings = (given: Partial<StickyOptions>): StickyOptions =>
  withDefaults('sticky', STICKY_DEFAULTS, given, { kinds: KINDS });

/** Which endpoint a client belongs to. Its cookie names that by a value from which nobody learns the address. */
export class Sticky {
  private readonly name: string;
  private readonly secret: string | Uint8Array;
  private readonly tokens = new Map<Endpoint, string>();
  private readonly byToken = new Map<string, Endpoint>();

  constructor({ cookie, secret }: StickyOptions) {
    this.name = cookie;
    this.secret = secret ?? OWN_SECRET;
  }

  add(endpoint: Endpoint): void {
    const token = createHmac('sha256', this.secret).update(endpoint.id).digest().subarray(0, TOKEN_BYTES);
    const text = token.toString('base64url');
    this.tokens.set(endpoint, text);
    this.byToken.set(text, endpoint);
  }

  remove(endpoint: Endpoint): void {
    const token = this.tokens.get(endpoint);
    this.tokens.delete(endpoint);
    if (token !== undefined) this.byToken.delete(token);
  }

  /** Where the client belongs; `null` when it comes for the first time, or that endpoint is gone. */
  homeOf({ headers }: HttpRequest): Endpoint | null {
    const value = cookieValue(headers.get('cookie'), this.name);
    return value === null ? null : (this.byToken.get(value) ?? null);
  }

  /** The value of `set-cookie` that makes an endpoint the client's (RFC 6265 §4.1); `null` when it leaves. */
  cookieFor(endpoint: Endpoint, secure: boolean): string | null {
    const token = this.tokens.get(endpoint);
    if (token === undefined) return null;
    return `${this.name}=${token}; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
  }
}
