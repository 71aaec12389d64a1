import { Failure, type FaultCode } from '../../core/failure.ts';
import type { HeaderFields } from '../../core/headers.ts';
import { isAuthority, isConnectTarget, isMethod, isTargetText } from '../../core/target.ts';
import { BlockReader } from './block-reader.ts';
import { malformed, StreamError } from './error.ts';
import { type FieldSection, fieldSection, trailerFields } from './field-section.ts';
import type { FieldLine } from './hpack-table.ts';
import type { Block } from './inbound.ts';
import type { Http2Limits, Http2Options } from './options.ts';

/** A request's head. */
export interface RequestHead {
  /** `GET` for an extended CONNECT, whose protocol is in `upgrade`. */
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  /** `:protocol` of an extended CONNECT (RFC 8441 §4). */
  readonly upgrade: string | null;
  /** It wants the stream as a tunnel: CONNECT, extended or not. */
  readonly tunnel: boolean;
  readonly section: FieldSection;
  /** It is over a limit: to be answered so. */
  readonly fault: Failure | null;
}

const COLON = 0x3a;
const NO_SECTION: FieldSection = fieldSection([], 0);

/** Reads the heads of requests. One whose regular fields are the lines of the request before has the same section. */
export class RequestReader {
  private readonly blocks: BlockReader<RequestHead>;
  private readonly limits: Http2Limits;
  private lastAuthority = '';
  private lastLines: readonly FieldLine[] = [];
  private lastFrom = 0;
  private lastSection: FieldSection = NO_SECTION;

  constructor(options: Http2Options, limits: Http2Limits) {
    this.blocks = new BlockReader(options, (lines) => this.headOf(lines));
    this.limits = limits;
  }

  settingsTaken(): void {
    this.blocks.settingsTaken();
  }

  /** Throws a ConnectionError when it cannot be decoded, a StreamError when it is malformed (RFC 9113 §8.1.1). */
  read(block: Block): RequestHead {
    return this.blocks.head(block);
  }

  /** Fields after a body. Throws like `read`, and a StreamError when they are over a limit: there is no answer to that. */
  readTrailers(block: Block): HeaderFields {
    const lines = this.blocks.lines(block);
    if (this.blocks.tooLarge || lines.length > this.limits.headerMaxCount) {
      throw new StreamError('ENHANCE_YOUR_CALM', 'the trailers are too large');
    }
    return trailerFields(lines);
  }

  /** Decodes a block that means nothing, for the sake of those after it. */
  skip(block: Block): void {
    this.blocks.lines(block);
  }

  private headOf(lines: readonly FieldLine[]): RequestHead {
    if (this.blocks.tooLarge) return overLimit('head-too-large', lines.find(({ name }) => name === ':method')?.value);
    const pseudo: Record<string, string> = {};
    let from = 0;
    for (let line = lines[0]; line !== undefined && line.name.charCodeAt(0) === COLON; line = lines[from]) {
      if (!PSEUDO.has(line.name) || pseudo[line.name] !== undefined) throw malformed(`${line.name} is misplaced`);
      pseudo[line.name] = line.value;
      from += 1;
    }
    const request = requestLine(pseudo);
    const section = this.sectionOf(lines, from, request.authority);
    if (
      section.host !== null &&
      request.authority !== '' &&
      section.host.toLowerCase() !== request.authority.toLowerCase()
    ) {
      throw malformed('host and :authority differ');
    }
    const authority = request.authority === '' ? (section.host ?? '') : request.authority;
    if (!isAuthority(authority)) throw malformed('the authority is not valid');
    if (section.count > this.limits.headerMaxCount) return overLimit('header-count-exceeded', request.method);
    if (request.target.length > this.limits.targetMaxBytes) return overLimit('target-too-long', request.method);
    return { ...request, authority, section, fault: null };
  }

  /** A section with the authority as its `host`, as every handler expects it. */
  private sectionOf(lines: readonly FieldLine[], from: number, authority: string): FieldSection {
    if (authority === this.lastAuthority && sameLines(this.lastLines, this.lastFrom, lines, from))
      return this.lastSection;
    const host = authority === '' ? hostIn(lines, from) : authority;
    const section = fieldSection(lines, from, host === '' ? '' : `host: ${host}\r\n`);
    this.lastAuthority = authority;
    this.lastLines = lines;
    this.lastFrom = from;
    this.lastSection = section;
    return section;
  }
}

type RequestLine = Pick<RequestHead, 'method' | 'target' | 'authority' | 'upgrade' | 'tunnel'>;

const PSEUDO: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path', ':protocol']);

/** RFC 9113 §8.3.1 and §8.5, RFC 8441 §4. Throws a StreamError. */
function requestLine(pseudo: Readonly<Record<string, string>>): RequestLine {
  const { ':method': method, ':scheme': scheme, ':path': path, ':protocol': protocol } = pseudo;
  const authority = pseudo[':authority'] ?? '';
  if (method === undefined || !isMethod(method)) throw malformed(':method is missing or not valid');
  if (authority !== '' && !isAuthority(authority)) throw malformed(':authority is not valid');
  if (method === 'CONNECT' && protocol === undefined) {
    if (scheme !== undefined || path !== undefined || !isConnectTarget(authority))
      throw malformed('CONNECT is not valid');
    return { method, target: authority, authority, upgrade: null, tunnel: true };
  }
  if (protocol !== undefined && (method !== 'CONNECT' || !isMethod(protocol)))
    throw malformed(':protocol is misplaced');
  if (scheme !== 'http' && scheme !== 'https') throw malformed(':scheme is neither http nor https');
  if (path === undefined || !isTargetText(path)) throw malformed(':path is missing or not valid');
  if (!path.startsWith('/') && !(path === '*' && method === 'OPTIONS')) throw malformed(':path does not begin with /');
  if (protocol === undefined) return { method, target: path, authority, upgrade: null, tunnel: false };
  return { method: 'GET', target: path, authority, upgrade: protocol.toLowerCase(), tunnel: true };
}

/** Only whether it is HEAD matters for the answer to what was not read whole. */
function overLimit(code: FaultCode, given: string | undefined): RequestHead {
  const method = given === 'HEAD' ? 'HEAD' : 'GET';
  const fault = new Failure(code);
  return { method, target: '/', authority: '', upgrade: null, tunnel: false, section: NO_SECTION, fault };
}

function hostIn(lines: readonly FieldLine[], from: number): string {
  const line = lines.find(({ name }, at) => at >= from && name === 'host');
  return line !== undefined && isAuthority(line.value) ? line.value : '';
}

/**
 * Whether two messages have the same regular lines. Those that the tables have are the same objects each time; what a
 * client never puts there, such as credentials, has to be compared.
 */
function sameLines(a: readonly FieldLine[], aFrom: number, b: readonly FieldLine[], bFrom: number): boolean {
  if (a.length - aFrom !== b.length - bFrom) return false;
  for (let i = b.length - bFrom - 1; i >= 0; i -= 1) {
    const one = a[aFrom + i];
    const other = b[bFrom + i];
    if (one !== other && (one?.name !== other?.name || one?.value !== other?.value)) return false;
  }
  return true;
}
