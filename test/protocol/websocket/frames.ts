import { Buffer } from 'node:buffer';

/** A frame, taken apart by rules of its own (RFC 6455 §5.2). */
export interface Frame {
  readonly fin: boolean;
  /** The three reserved bits. */
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** How a frame differs from a whole one of a client. */
export interface FrameParts {
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  /** How many bytes the length takes: 1, 3 or 9. The shortest where it is left out. */
  readonly lengthBytes?: 1 | 3 | 9;
}

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** The bytes of a frame as a client sends it: masked. */
export function frame(opcode: number, payload: string | Uint8Array = '', parts: FrameParts = {}): Buffer {
  const { fin = true, rsv = 0, masked = true } = parts;
  const data = Buffer.from(payload);
  const size = parts.lengthBytes ?? (data.length < 126 ? 1 : data.length < 65_536 ? 3 : 9);
  const head = Buffer.alloc(1 + size);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (size === 1 ? data.length : size === 3 ? 126 : 127);
  if (size === 3) head.writeUInt16BE(data.length, 2);
  if (size === 9) head.writeBigUInt64BE(BigInt(data.length), 2);
  if (!masked) return Buffer.concat([head, data]);
  return Buffer.concat([head, MASK, data.map((byte, index) => byte ^ (MASK[index % 4] ?? 0))]);
}

/** A Close with its code and reason. */
export function closeFrame(code: number, reason: string | Uint8Array = '', parts: FrameParts = {}): Buffer {
  return frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]), parts);
}

/** The code of a Close; 1005 when it has none. */
export const codeOf = ({ payload }: Frame): number => (payload.length < 2 ? 1005 : payload.readUInt16BE(0));

/** The first frame in the bytes and where it ends; `null` when it is not complete. */
export function parseFrame(bytes: Buffer): { frame: Frame; end: number } | null {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return null;
  const masked = second >= 0x80;
  const short = second & 0x7f;
  const at = 2 + (short === 127 ? 8 : short === 126 ? 2 : 0) + (masked ? 4 : 0);
  if (bytes.length < at) return null;
  const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < at + length) return null;
  const mask = bytes.subarray(at - 4, at);
  const data = bytes.subarray(at, at + length);
  const payload = masked ? data.map((byte, index) => byte ^ (mask[index % 4] ?? 0)) : data;
  return {
    frame: { fin: first >= 0x80, rsv: (first >> 4) & 7, opcode: first & 15, masked, payload: Buffer.from(payload) },
    end: at + length,
  };
}
