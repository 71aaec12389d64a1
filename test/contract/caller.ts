import type { Duplex, Readable } from 'node:stream';

/** A request to be asked. Without a body it ends with its head, unless it is `open`. */
export interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** The body is written by the test. */
  readonly open?: boolean;
}

/** The head of an answer; names in lower case. */
export interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** One request, and what comes back, whatever the protocol. */
export interface Asked {
  /** Informational answers, 100 among them. */
  readonly informed: Head[];
  /** Rejects when there will be none. */
  head(): Promise<Head>;
  /** The body as it comes, once the head is there. */
  body(): Promise<Readable>;
  /** The body to its end; rejects when it is cut off. */
  text(): Promise<string>;
  /** Fields after the body, once it has been read. */
  trailers(): Readonly<Record<string, string>>;
  /** `false`: wait for `drained`. */
  write(bytes: string | Uint8Array): boolean;
  drained(): Promise<void>;
  end(bytes?: string, trailers?: Readonly<Record<string, string>>): void;
  /** The client gives up. */
  abort(): void;
}

/** What a server has answered to a wish to switch. */
export interface Switched extends Head {
  readonly socket: Duplex;
  /** Ends it in both directions, in the middle of whatever is said. */
  readonly breakOff: () => void;
}

/** A client, as its protocol has it. */
export interface Caller {
  ask(question?: Question): Asked;
  /** Asks to switch to this protocol: Upgrade, or extended CONNECT. */
  upgrade(protocol: string, path?: string): Promise<Switched>;
  /** Closes all connections. */
  close(): void;
}

/** What was collected of a body. */
export async function textOf(readable: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readable) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('latin1');
}

/** How much there is of a body. */
export async function countOf(readable: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of readable) bytes += Buffer.from(chunk).length;
  return bytes;
}

/** Fields of Node's as text. */
export function plain(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
