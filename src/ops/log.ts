import type { Writable } from 'node:stream';
import { inspect } from 'node:util';

/** From the most talkative to the quietest; a log writes its own level and those after it. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `json`: one object a line (NDJSON). `text`: for people. `auto`: text on a terminal, else json. */
export const LOG_FORMATS = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What belongs to a message. An `Error` is written with its code, stack and causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where to write, and how much. */
export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Default: standard output. */
  readonly stream?: LogStream;
  /** For `NO_COLOR`; default: the process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** A stream that may be a terminal. */
export type LogStream = Writable & { readonly isTTY?: boolean };

export const LOG_DEFAULTS: Readonly<{ level: LogLevel; format: LogFormat }> = { level: 'info', format: 'auto' };

/** Unwritten text beyond which lines are dropped: a reader that has stopped must not fill the memory. */
const PENDING_MAX_CHARS = 4_194_304;

/**
 * Writes lines in the background, all lines of one turn of the event loop in one write. It never throws and never
 * waits: when the reader is gone the lines are lost, and when it is too slow they are dropped and counted.
 */
export class Log {
  private readonly stream: LogStream;
  private readonly colored: boolean;
  private line: (level: LogLevel, message: string, fields: LogFields) => string = jsonLine;
  private threshold = 0;
  private pending = '';
  private scheduled = false;
  private droppedCount = 0;
  private broken = false;

  constructor(options: LogOptions) {
    this.stream = options.stream ?? process.stdout;
    const environment = options.environment ?? process.env;
    this.colored = this.stream.isTTY === true && (environment.NO_COLOR ?? '') === '';
    this.configure(options);
    this.stream.on('error', () => {
      this.broken = true;
      this.pending = '';
    });
  }

  /** Changes level and format from the next line on. */
  configure({ level, format }: Pick<LogOptions, 'level' | 'format'>): void {
    this.threshold = LOG_LEVELS.indexOf(level);
    const text = format === 'text' || (format === 'auto' && this.stream.isTTY === true);
    this.line = text ? (...entry) => textLine(...entry, this.colored) : jsonLine;
  }

  /** Whether lines of this level are written; ask before building costly fields. */
  writes(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.threshold;
  }

  write(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (this.broken || !this.writes(level)) return;
    if (this.pending.length + this.stream.writableLength > PENDING_MAX_CHARS) {
      this.droppedCount += 1;
      return;
    }
    if (this.droppedCount > 0) {
      const droppedCount = this.droppedCount;
      this.droppedCount = 0;
      this.pending += this.line('warn', 'log lines were dropped, their reader is too slow', { droppedCount });
    }
    this.pending += this.line(level, message, fields);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.pass());
  }

  debug(message: string, fields?: LogFields): void {
    this.write('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.write('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.write('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.write('error', message, fields);
  }

  /** Resolves when everything so far has been handed over, or cannot be within `withinMs`. */
  flush(withinMs: number): Promise<void> {
    this.pass();
    if (this.broken || this.stream.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.stream.write('', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private pass(): void {
    this.scheduled = false;
    if (this.pending === '' || this.broken || this.stream.writableEnded) return;
    const text = this.pending;
    this.pending = '';
    this.stream.write(text);
  }
}

/** `{"time":"…","level":"info","message":"…", …fields}` and a line feed. */
export function jsonLine(level: LogLevel, message: string, fields: LogFields): string {
  const entry = { time: new Date().toISOString(), level, message, ...fields };
  try {
    return `${JSON.stringify(entry, plain)}\n`;
  } catch {
    // A cycle or a BigInt in a field must not cost the line.
    return `${JSON.stringify({ ...entry, ...inspected(fields) })}\n`;
  }
}

const COLORS: Readonly<Record<LogLevel, number>> = { debug: 90, info: 36, warn: 33, error: 31 };

/** `12:34:56.789 INFO  message  name=value`, with the stack of an error on the lines below. */
export function textLine(level: LogLevel, message: string, fields: LogFields, color: boolean): string {
  const paint = (code: number, text: string): string => (color ? `\x1b[${code}m${text}\x1b[0m` : text);
  const time = new Date().toISOString().slice(11, 23);
  let line = `${paint(90, time)} ${paint(COLORS[level], level.toUpperCase().padEnd(5))} ${visible(message)}`;
  let below = '';
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (value instanceof Error) below += indented(inspect(value));
    else line += ` ${paint(90, `${name}=`)}${word(value)}`;
  }
  return `${line}\n${below}`;
}

function word(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=\p{C}]+$/u.test(value) ? value : visible(JSON.stringify(value));
  return visible(inspect(value, { breakLength: Number.POSITIVE_INFINITY }));
}

/** Without characters that move a terminal's cursor: fields hold what clients sent. */
function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function indented(text: string): string {
  const lines = text.split('\n').map((line) => `    ${visible(line)}\n`);
  return lines.join('');
}

function plain(_name: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code: unknown = Reflect.get(value, 'code');
  return { name: value.name, code, message: value.message, stack: value.stack, cause: value.cause };
}

function inspected(fields: LogFields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, inspect(value)]));
}
