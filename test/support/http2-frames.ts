/** Name and value, as text of octets. */
export type Field = readonly [name: string, value: string];

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

// Numbers of RFC 9113 §6 and §7, written down again: the tests do not trust the engine's tables to judge the engine.

export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
  PRIORITY_UPDATE: 16,
} as const;

export const CODE = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  ENABLE_CONNECT_PROTOCOL: 8,
  NO_RFC7540_PRIORITIES: 9,
} as const;

/** Flags of DATA, HEADERS and CONTINUATION. */
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY = 0x20;
/** HEADERS of a request without a body, in one frame. */
export const WHOLE: number = END_STREAM | END_HEADERS;

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Four octets. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** One frame; `payload` as text is latin-1. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, body]);
}

export function settings(entries: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const payload = entries.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 0xff]), u32(value)]));
  return frame(TYPE.SETTINGS, 0, 0, Buffer.concat(payload));
}

export const data = (streamId: number, payload: Uint8Array | string, flags: number = END_STREAM): Buffer =>
  frame(TYPE.DATA, flags, streamId, payload);

export const headers = (streamId: number, fields: readonly Field[], flags: number = WHOLE): Buffer =>
  frame(TYPE.HEADERS, flags, streamId, block(fields));

export const continuation = (streamId: number, fields: readonly Field[], flags: number = END_HEADERS): Buffer =>
  frame(TYPE.CONTINUATION, flags, streamId, block(fields));

export const windowUpdate = (streamId: number, increment: number): Buffer =>
  frame(TYPE.WINDOW_UPDATE, 0, streamId, u32(increment));

export const rstStream = (streamId: number, code: number = CODE.CANCEL): Buffer =>
  frame(TYPE.RST_STREAM, 0, streamId, u32(code));

export const priority = (streamId: number, dependsOn: number): Buffer =>
  frame(TYPE.PRIORITY, 0, streamId, Buffer.concat([u32(dependsOn), Buffer.from([15])]));

export const priorityUpdate = (streamId: number, value: string): Buffer =>
  frame(TYPE.PRIORITY_UPDATE, 0, 0, Buffer.concat([u32(streamId), Buffer.from(value)]));

export const ping = (opaque = 'pingpong'): Buffer => frame(TYPE.PING, 0, 0, opaque);

export const goaway = (lastStreamId: number, code: number): Buffer =>
  frame(TYPE.GOAWAY, 0, 0, Buffer.concat([u32(lastStreamId), u32(code)]));

/** A header block of literals without indexing and without Huffman codes (RFC 7541 §6.2.2). */
export function block(fields: readonly Field[]): Buffer {
  const parts = fields.flatMap(([name, value]) => [Buffer.from([0]), string(name), string(value)]);
  return Buffer.concat(parts);
}

/** RFC 7541 §5.2. */
function string(text: string): Buffer {
  return Buffer.concat([integer(text.length), Buffer.from(text, 'latin1')]);
}

/** RFC 7541 §5.1, after a prefix of 7 bits. */
function integer(value: number): Buffer {
  if (value < 0x7f) return Buffer.from([value]);
  const octets = [0x7f];
  let rest = value - 0x7f;
  for (; rest >= 0x80; rest >>= 7) octets.push((rest & 0x7f) | 0x80);
  octets.push(rest);
  return Buffer.from(octets);
}

/** A request's fields; those given replace or follow the usual ones. `null` leaves one out. */
export function request(changes: Readonly<Record<string, string | null>> = {}, more: readonly Field[] = []): Field[] {
  const usual = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'test' };
  const merged: Record<string, string | null> = { ...usual, ...changes };
  return [
    ...Object.entries(merged).flatMap(([name, value]): Field[] => (value === null ? [] : [[name, value]])),
    ...more,
  ];
}

export const GET: readonly Field[] = request();
export const POST: readonly Field[] = request({ ':method': 'POST' });
