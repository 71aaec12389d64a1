import { INDEXED, integerText, NEVER_INDEXED, stringText, WITH_INDEXING, WITHOUT_INDEXING } from './hpack-literal.ts';
import { STATIC_LINES } from './hpack-table.ts';

/**
 * What becomes of a name's values: 'keep' them in the dynamic table; let them 'pass' it by, as each is another; or
 * 'hide' them, so that no table on the way has them (RFC 7541 §7.1.3). Cookies are kept once they are too long to be
 * guessed by how well a guess compresses.
 */
type Practice = 'keep' | 'keep-long' | 'pass' | 'hide';

const GUESSABLE_MAX_BYTES = 20;

const PRACTICES: ReadonlyMap<string, Practice> = new Map([
  [':path', 'pass'],
  ['age', 'pass'],
  ['content-length', 'pass'],
  ['content-location', 'pass'],
  ['content-range', 'pass'],
  ['date', 'pass'],
  ['etag', 'pass'],
  ['expires', 'pass'],
  ['if-match', 'pass'],
  ['if-modified-since', 'pass'],
  ['if-none-match', 'pass'],
  ['if-range', 'pass'],
  ['if-unmodified-since', 'pass'],
  ['last-modified', 'pass'],
  ['location', 'pass'],
  ['range', 'pass'],
  ['cookie', 'keep-long'],
  ['set-cookie', 'hide'],
  ['authorization', 'hide'],
  ['proxy-authorization', 'hide'],
  ['x-api-key', 'hide'],
  ['x-auth-token', 'hide'],
  ['x-csrf-token', 'hide'],
]);

/** A name about which something is known beforehand: its index in the static table, or that it holds secrets. */
export class KnownName {
  /** What to write for a whole line of the static table, by value. */
  readonly whole: Map<string, string> = new Map();
  /** How a line that enters the dynamic table begins. */
  readonly indexingStart: string;
  private readonly passingStart: string;
  private readonly hiddenStart: string;
  private readonly practice: Practice;
  private lastValue: string | null = null;
  private lastText = '';

  /** `index` is 0 for a name that is not in the static table. */
  constructor(name: string, index: number) {
    const spelt = index === 0 ? stringText(name) : '';
    this.indexingStart = integerText(WITH_INDEXING, index) + spelt;
    this.passingStart = integerText(WITHOUT_INDEXING, index) + spelt;
    this.hiddenStart = integerText(NEVER_INDEXED, index) + spelt;
    this.practice = PRACTICES.get(name) ?? 'keep';
  }

  /** Whether a line with this value may enter the dynamic table. */
  keeps(value: string): boolean {
    return this.practice === 'keep' || (this.practice === 'keep-long' && value.length >= GUESSABLE_MAX_BYTES);
  }

  /** A line that leaves the dynamic table as it is. */
  literal(value: string): string {
    if (this.practice === 'hide' || this.practice === 'keep-long') {
      return (this.keeps(value) ? this.passingStart : this.hiddenStart) + stringText(value);
    }
    // All connections answer with one date in one second, and often with one length or type.
    if (value !== this.lastValue) {
      this.lastText = this.passingStart + stringText(value);
      this.lastValue = value;
    }
    return this.lastText;
  }
}

/** All such names. */
export const KNOWN_NAMES: ReadonlyMap<string, KnownName> = knownNames();

function knownNames(): Map<string, KnownName> {
  const names = new Map<string, KnownName>();
  for (const [position, line] of STATIC_LINES.entries()) {
    const known = names.get(line.name) ?? new KnownName(line.name, position + 1);
    names.set(line.name, known);
    if (line.value !== '') known.whole.set(line.value, integerText(INDEXED, position + 1));
  }
  for (const name of PRACTICES.keys()) {
    if (!names.has(name)) names.set(name, new KnownName(name, 0));
  }
  return names;
}
