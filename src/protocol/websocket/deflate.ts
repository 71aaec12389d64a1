import type { DeflateOptions } from './options.ts';

/** One extension that a client offers, with its parameters in order; a parameter without a value has `null`. */
interface ExtensionOffer {
  readonly name: string;
  readonly parameters: readonly (readonly [name: string, value: string | null])[];
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const SPACE = '[ \\t]*';
const PARAMETER = new RegExp(`${SPACE};${SPACE}(${TOKEN})(?:${SPACE}=${SPACE}(?:(${TOKEN})|"(${TOKEN})"))?`, 'y');
const NAME = new RegExp(`${SPACE}(${TOKEN})`, 'y');
const NEXT = new RegExp(`${SPACE}(,|$)`, 'y');
/** Without leading zeros (RFC 7692 §7.1.2). */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/** What `sec-websocket-extensions` offers (RFC 6455 §9.1); `null` when it is not valid. */
export function parseExtensions(value: string): ExtensionOffer[] | null {
  const offers: ExtensionOffer[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(value);
    if (found !== null) at += found[0].length;
    return found;
  };
  for (;;) {
    const name = match(NAME)?.[1];
    if (name === undefined) return null;
    const parameters: [string, string | null][] = [];
    for (let found = match(PARAMETER); found !== null; found = match(PARAMETER)) {
      parameters.push([found[1] ?? '', found[2] ?? found[3] ?? null]);
    }
    offers.push({ name, parameters });
    const end = match(NEXT);
    if (end === null) return null;
    if (end[1] === '') return offers;
  }
}

/**
 * The compression to speak with a client, as the value of `sec-websocket-extensions` in the answer: that of the first
 * offer we can take (RFC 7692 §5.1, §7.1); `null` when there is none, and messages then go as they are.
 */
export function agreeOnDeflate(offers: readonly ExtensionOffer[], options: DeflateOptions): string | null {
  for (const offer of offers) {
    if (offer.name !== 'permessage-deflate') continue;
    const agreed = agree(offer, options);
    if (agreed !== null) return agreed;
  }
  return null;
}

function agree(offer: ExtensionOffer, options: DeflateOptions): string | null {
  const wanted = new Map(offer.parameters);
  if (wanted.size !== offer.parameters.length || !offer.parameters.every(([name, value]) => fits(name, value))) {
    return null;
  }
  const server = Number(wanted.get('server_max_window_bits') ?? 15);
  // zlib cannot compress with the narrowest window: what it makes of it needs the next wider one.
  if (server === 8) return null;
  const serverBits = Math.min(server, options.windowBits);
  const clientBits = Math.min(Number(wanted.get('client_max_window_bits') ?? 15), options.windowBits);
  const resets = (side: string): boolean => !options.contextTakeover || wanted.has(`${side}_no_context_takeover`);
  let agreed = 'permessage-deflate';
  if (resets('server')) agreed += '; server_no_context_takeover';
  if (resets('client')) agreed += '; client_no_context_takeover';
  if (serverBits < 15 || wanted.has('server_max_window_bits')) agreed += `; server_max_window_bits=${serverBits}`;
  // A client that does not name it cannot narrow its window (RFC 7692 §7.1.2.2).
  if (wanted.has('client_max_window_bits') && clientBits < 15) agreed += `; client_max_window_bits=${clientBits}`;
  return agreed;
}

function fits(name: string, value: string | null): boolean {
  switch (name) {
    case 'server_no_context_takeover':
    case 'client_no_context_takeover':
      return value === null;
    case 'server_max_window_bits':
      return value !== null && WINDOW_BITS.test(value);
    case 'client_max_window_bits':
      return value === null || WINDOW_BITS.test(value);
    default:
      return false;
  }
}
