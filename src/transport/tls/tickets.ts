import { hkdfSync, randomBytes } from 'node:crypto';

/** What a ticket begins with: the name of the key it was made with. */
const NAME_BYTES = 16;
/** A name, a key for the MAC and a key for the cipher, of 16 bytes each. */
const KEY_BYTES = 48;

/**
 * The keys of session tickets (RFC 8446 §4.6.1, RFC 5077), one for each period of wall-clock time. Each is derived from
 * the secret and its period alone, so processes that share the secret have the same keys without telling each other.
 */
export class TicketKeys {
  private readonly rotateMs: number;
  private readonly secret: string | Buffer;
  private readonly keys = new Map<number, Buffer>();

  /** `secret`: `null` for a random one, which no other process has. */
  constructor(rotateMs: number, secret: string | null) {
    this.rotateMs = rotateMs;
    this.secret = secret ?? randomBytes(32);
  }

  /** The period of a moment. */
  periodAt(wallMs: number): number {
    return Math.floor(wallMs / this.rotateMs);
  }

  /** The 48 bytes that tickets of a period are made with. */
  key(period: number): Buffer {
    const known = this.keys.get(period);
    if (known !== undefined) return known;
    const info = `sluice ticket key, ${this.rotateMs} ms, ${period}`;
    const key = Buffer.from(hkdfSync('sha256', this.secret, '', info, KEY_BYTES));
    for (const other of this.keys.keys()) if (Math.abs(other - period) > 1) this.keys.delete(other);
    this.keys.set(period, key);
    return key;
  }

  /** The period whose key a ticket was made with, if that is `period` or the one before; else `period`. */
  periodOf(ticket: Buffer | null, period: number): number {
    if (ticket === null || ticket.length < NAME_BYTES) return period;
    const isOlder = ticket.compare(this.key(period - 1), 0, NAME_BYTES, 0, NAME_BYTES) === 0;
    return isOlder ? period - 1 : period;
  }
}
