/** One server-sent event (WHATWG HTML §9.2). */
export interface ServerSentEvent {
  /**
   * Text as it is; anything else as JSON. Without data the client raises no event, and only takes `id` and `retryMs`
   * over.
   */
  readonly data?: unknown;
  /** What the client listens for; `message` where it is not given. One line. */
  readonly event?: string | undefined;
  /** What the client says in `last-event-id` when it comes again. One line. */
  readonly id?: string | undefined;
  /** How long the client waits before it comes again, in whole milliseconds. */
  readonly retryMs?: number | undefined;
}

/** What a source of events gives: text is an event that has only data. */
export type EventItem = string | ServerSentEvent;

/** An event as it goes on the wire. Throws `TypeError` on a field that could end its line, and on data JSON cannot say. */
export function eventText(item: EventItem): string {
  if (typeof item === 'string') return `${dataLines(item)}\n`;
  if (typeof item !== 'object' || item === null) throw new TypeError('an event is text or an object');
  const { data, event, id, retryMs } = item;
  let text = '';
  if (event !== undefined) text += `event: ${oneLine('event', event)}\n`;
  if (id !== undefined) text += `id: ${oneLine('id', id)}\n`;
  if (retryMs !== undefined) text += retryLine(retryMs);
  if (data !== undefined) text += dataLines(typeof data === 'string' ? data : json(data));
  return `${text}\n`;
}

/** `retry: …`, with its line end. Throws `TypeError` on what is not a whole number of milliseconds. */
export function retryLine(retryMs: number): string {
  if (!Number.isSafeInteger(retryMs) || retryMs < 0) {
    throw new TypeError(`retryMs: ${retryMs} is not a whole number of milliseconds`);
  }
  return `retry: ${retryMs}\n`;
}

/** Every line of the text as a line of data: the client puts them together again. */
function dataLines(text: string): string {
  if (!/[\r\n]/.test(text)) return `data: ${text}\n`;
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join('');
}

function oneLine(name: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw new TypeError(`${name}: a line break or NUL cannot be in it`);
  return value;
}

function json(data: unknown): string {
  const text: string | undefined = JSON.stringify(data);
  if (text === undefined) throw new TypeError(`data: a ${typeof data} has no JSON form`);
  return text;
}
