import { Failure, type FaultCode } from '../../core/failure.ts';
import { HeaderFields } from '../../core/headers.ts';
import { isAuthority, isConnectTarget, isMethod, isTargetText, METHOD_MAX_BYTES } from '../../core/target.ts';
import { type FieldSection, scanFields } from './section.ts';

/** How large a head may be. */
export interface HeadLimits {
  readonly headMaxBytes: number;
  readonly headerMaxCount: number;
  readonly targetMaxBytes: number;
}

export interface RequestHead {
  readonly method: string;
  /** origin-form, `*`, or authority-form for CONNECT (RFC 9112 §3.2). */
  readonly target: string;
  readonly authority: string;
  readonly minorVersion: 0 | 1;
  readonly section: FieldSection;
  /** Index after the empty line. */
  readonly end: number;
}

export interface ResponseHead {
  readonly status: number;
  readonly minorVersion: 0 | 1;
  readonly section: FieldSection;
  readonly end: number;
}

const NAME = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const LINES = `(?:${NAME}:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*`;

// One sticky expression validates a whole head: token, target, version, every name and every value. It is linear,
// because no two neighbouring parts of it can match the same character.
const REQUEST = new RegExp(`${NAME} [\\x21\\x22\\x24-\\x7e]+ HTTP/1\\.[01]\\r\\n${LINES}\\r\\n`, 'y');
const RESPONSE = new RegExp(`HTTP/1\\.[01] [1-5][0-9][0-9](?: [\\t\\x20-\\x7e\\x80-\\xff]*)?\\r\\n${LINES}\\r\\n`, 'y');
const FIELD_LINE = new RegExp(`^${NAME}:[\\t\\x20-\\x7e\\x80-\\xff]*$`);
const FIELD_LINE_BEGUN = new RegExp(`^(?:${NAME}(?::[\\t\\x20-\\x7e\\x80-\\xff]*)?)?\\r?$`);
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;

/**
 * The request head at `at` of latin-1 text, or `null` when it is not complete yet.
 * Throws a Failure as soon as what is there can never become a valid head.
 */
export function parseRequest(text: string, at: number, limits: HeadLimits): RequestHead | null {
  REQUEST.lastIndex = at;
  if (!REQUEST.test(text)) {
    refuseOrWait(text, at, limits, requestLineFault);
    return null;
  }
  const end = REQUEST.lastIndex;
  const methodEnd = text.indexOf(' ', at);
  if (methodEnd - at > METHOD_MAX_BYTES) throw new Failure('request-line-invalid');
  const targetEnd = text.indexOf(' ', methodEnd + 1);
  if (targetEnd - methodEnd - 1 > limits.targetMaxBytes) throw new Failure('target-too-long');
  if (end - at > limits.headMaxBytes) throw new Failure('head-too-large');
  const section = scanFields(text.slice(targetEnd + 11, end - 2));
  if (section.count > limits.headerMaxCount) throw new Failure('header-count-exceeded');
  const method = text.slice(at, methodEnd);
  const target = text.slice(methodEnd + 1, targetEnd);
  const minorVersion = text.charCodeAt(targetEnd + 8) === 0x31 ? 1 : 0;
  const authority = hostOf(section, minorVersion);
  if (target.charCodeAt(0) === 0x2f && method !== 'CONNECT') {
    return { method, target, authority, minorVersion, section, end };
  }
  return resolveTarget({ method, target, authority, minorVersion, section, end });
}

/** The response head at `at`, or `null` when it is not complete yet. Throws `upstream-invalid`. */
export function parseResponse(text: string, at: number, limits: HeadLimits): ResponseHead | null {
  RESPONSE.lastIndex = at;
  if (!RESPONSE.test(text)) {
    try {
      refuseOrWait(text, at, limits, statusLineFault);
    } catch (error) {
      throw new Failure('upstream-invalid', undefined, { cause: error });
    }
    return null;
  }
  const end = RESPONSE.lastIndex;
  if (end - at > limits.headMaxBytes) throw new Failure('upstream-invalid', 'The head is too large.');
  const status = Number(text.slice(at + 9, at + 12));
  const minorVersion = text.charCodeAt(at + 7) === 0x31 ? 1 : 0;
  const section = scanFields(text.slice(text.indexOf('\r\n', at) + 2, end - 2));
  if (section.count > limits.headerMaxCount) throw new Failure('upstream-invalid', 'The head has too many lines.');
  return { status, minorVersion, section, end };
}

/** Exactly one valid `host` in HTTP/1.1 (RFC 9112 §3.2); stricter: an empty one is refused, and so are two in 1.0. */
function hostOf(section: FieldSection, minorVersion: 0 | 1): string {
  if (section.hostIsValid === null) {
    section.hostIsValid = section.hostCount === 1 && isAuthority(section.host);
  }
  if (section.hostIsValid) return section.host;
  if (section.hostCount === 0 && minorVersion === 0) return '';
  throw new Failure('host-invalid');
}

/** absolute-form, authority-form and asterisk-form (RFC 9112 §3.2.2–3.2.4). */
function resolveTarget(head: RequestHead): RequestHead {
  const { method, target } = head;
  if (method === 'CONNECT') {
    if (!isConnectTarget(target)) throw new Failure('target-invalid');
    return { ...head, authority: target };
  }
  if (target === '*') {
    if (method !== 'OPTIONS') throw new Failure('target-invalid');
    return head;
  }
  const absolute = ABSOLUTE.exec(target);
  const authority = absolute?.[1] ?? '';
  const rest = absolute?.[2] ?? '';
  // Userinfo has no place here (RFC 9110 §4.2.4), and an authority has no '@'.
  if (!isAuthority(authority)) throw new Failure('target-invalid');
  // The target's authority replaces the host field (RFC 9112 §3.2.2), so that no later reader sees another one.
  const { section } = head;
  const fields = section.host === authority ? section.fields : section.fields.with('host', authority);
  return {
    ...head,
    target: rest.startsWith('/') ? rest : method === 'OPTIONS' && rest === '' ? '*' : `/${rest}`,
    authority,
    section: { ...section, fields, host: authority },
  };
}

/**
 * Throws the reason why the text at `at` can never become a head; returns when only more bytes can tell.
 * Runs for incomplete and for refused heads only.
 */
function refuseOrWait(
  text: string,
  at: number,
  limits: HeadLimits,
  firstLineFault: (line: string, complete: boolean, limits: HeadLimits) => FaultCode | null,
): void {
  let lineStart = at;
  let lineCount = 0;
  for (;;) {
    const feed = text.indexOf('\n', lineStart);
    const complete = feed !== -1;
    const line = text.slice(lineStart, complete ? feed - 1 : undefined);
    if (complete && text[feed - 1] !== '\r')
      throw new Failure(lineCount === 0 ? 'request-line-invalid' : 'header-invalid');
    const fault = lineCount === 0 ? firstLineFault(line, complete, limits) : fieldLineFault(line, complete);
    if (fault !== null) throw new Failure(fault);
    if ((complete ? feed + 1 : text.length) - at > limits.headMaxBytes) throw new Failure('head-too-large');
    if (!complete) return;
    if (line === '') throw new Failure('header-invalid');
    if (lineCount > limits.headerMaxCount) throw new Failure('header-count-exceeded');
    lineCount += 1;
    lineStart = feed + 1;
  }
}

function fieldLineFault(line: string, complete: boolean): FaultCode | null {
  const fits = complete ? line === '' || FIELD_LINE.test(line) : FIELD_LINE_BEGUN.test(line);
  return fits ? null : 'header-invalid';
}

function requestLineFault(line: string, complete: boolean, limits: HeadLimits): FaultCode | null {
  const [method = '', target, version, ...more] = line.split(' ');
  if (!isMethod(method)) return complete || line !== '' ? 'request-line-invalid' : null;
  if (target === undefined) return complete ? 'request-line-invalid' : null;
  if (target.length > limits.targetMaxBytes) return 'target-too-long';
  if (target === '') return complete || version !== undefined ? 'request-line-invalid' : null;
  if (!isTargetText(target)) return 'target-invalid';
  if (version === undefined) return complete ? 'request-line-invalid' : null;
  if (more.length > 0) return 'request-line-invalid';
  if (!complete) return /^H?T?T?P?\/?[0-9]?\.?[0-9]?\r?$/.test(version) ? null : 'request-line-invalid';
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) return 'request-line-invalid';
  return version === 'HTTP/1.1' || version === 'HTTP/1.0' ? null : 'version-unsupported';
}

function statusLineFault(line: string, complete: boolean): FaultCode | null {
  if (complete)
    return /^HTTP\/1\.[01] [1-5][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?$/.test(line) ? null : 'upstream-invalid';
  return 'HTTP/1.'.startsWith(line.slice(0, 7)) || line.startsWith('HTTP/1.') ? null : 'upstream-invalid';
}

/** Validates the lines of a trailer section (RFC 9112 §7.1.2); framing and routing fields have no place in it. */
export function parseTrailers(text: string): HeaderFields {
  for (const line of text.split('\r\n').slice(0, -1)) {
    if (!FIELD_LINE.test(line)) throw new Failure('chunk-invalid', 'A trailer line is not valid.');
  }
  const fields = HeaderFields.fromText(text);
  for (const name of ['content-length', 'transfer-encoding', 'host', 'connection', 'trailer', 'te', 'upgrade']) {
    if (fields.has(name)) throw new Failure('chunk-invalid', `A trailer must not be ${name}.`);
  }
  return fields;
}
