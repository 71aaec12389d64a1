import { encodeHuffman } from './huffman.ts';

/** The first octet of a representation, and the mask of the integer that begins in it (RFC 7541 §6). */
export interface Representation {
  readonly first: number;
  readonly mask: number;
}

export const INDEXED: Representation = { first: 0x80, mask: 0x7f };
export const WITH_INDEXING: Representation = { first: 0x40, mask: 0x3f };
export const SIZE_UPDATE: Representation = { first: 0x20, mask: 0x1f };
export const NEVER_INDEXED: Representation = { first: 0x10, mask: 0x0f };
export const WITHOUT_INDEXING: Representation = { first: 0x00, mask: 0x0f };
const PLAIN_STRING: Representation = { first: 0x00, mask: 0x7f };
const CODED_STRING: Representation = { first: 0x80, mask: 0x7f };

/** An integer behind the first bits of a representation (RFC 7541 §5.1), as latin-1 text like all that is encoded. */
export function integerText({ first, mask }: Representation, value: number): string {
  if (value < mask) return String.fromCharCode(first | value);
  let text = String.fromCharCode(first | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) text += String.fromCharCode((rest & 0x7f) | 0x80);
  return text + String.fromCharCode(rest);
}

/** A string literal, Huffman-coded when that is shorter (RFC 7541 §5.2). */
export function stringText(text: string): string {
  const coded = encodeHuffman(text);
  return coded === null
    ? integerText(PLAIN_STRING, text.length) + text
    : integerText(CODED_STRING, coded.length) + coded;
}
