/**
 * Bits of each octet's code, then of EOS (RFC 7541 appendix B). The code is canonical, so the lengths say it all:
 * codes of one length are consecutive, in the order of their octets (§5.2).
 */
const CODE_LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const EOS = 256;
const PADDING_MAX_BITS = 7;

/** The code of each octet, and how many bits it has. */
const CODES = new Uint32Array(CODE_LENGTHS.length);
const LENGTHS = Uint8Array.from(CODE_LENGTHS);

/**
 * The code as a tree: the children of an inner node are at `node << 1 | bit`. They are other inner nodes (of 256, the
 * root being 0), or octets as their complement.
 */
const CHILDREN = new Int16Array(256 * 2);

/** Nodes at which a string may end: all bits since the last octet are ones, and fewer than eight (§5.2). */
const IS_END = new Uint8Array(256);

/**
 * The tree walked eight bits at a time: what an octet does at a node is at `node << 8 | octet`. As no code is shorter
 * than five bits, two octets are completed at most.
 * Bits 0–7: the node then reached; 8–15 and 16–23: the octets; 24–25: how many. Negative when EOS is reached, and 0
 * until somebody asks: to make all of it would take every start of the program several milliseconds.
 */
const STEPS = new Int32Array(256 * 256);
const EOS_REACHED = -1;

assignCodes();
growTree();

function assignCodes(): void {
  const symbols = [...CODE_LENGTHS.keys()].sort((a, b) => (LENGTHS[a] ?? 0) - (LENGTHS[b] ?? 0) || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of symbols) {
    const symbolLength = LENGTHS[symbol] ?? 0;
    code <<= symbolLength - length;
    length = symbolLength;
    CODES[symbol] = code;
    code += 1;
  }
}

function growTree(): void {
  let nodeCount = 1;
  for (let symbol = 0; symbol <= EOS; symbol += 1) {
    const code = CODES[symbol] ?? 0;
    let node = 0;
    for (let bit = (LENGTHS[symbol] ?? 0) - 1; bit > 0; bit -= 1) {
      const branch = (node << 1) | ((code >>> bit) & 1);
      // The root is nobody's child, so 0 means: none yet.
      if (CHILDREN[branch] === 0) {
        CHILDREN[branch] = nodeCount;
        nodeCount += 1;
      }
      node = CHILDREN[branch] ?? 0;
    }
    CHILDREN[(node << 1) | (code & 1)] = ~symbol;
  }
  for (let bits = 0, node = 0; bits <= PADDING_MAX_BITS; bits += 1) {
    IS_END[node] = 1;
    node = CHILDREN[(node << 1) | 1] ?? 0;
  }
}

/** An entry of STEPS. */
function stepFrom(start: number, octet: number): number {
  let node = start;
  let symbols = 0;
  let count = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    const child = CHILDREN[(node << 1) | ((octet >>> bit) & 1)] ?? 0;
    node = Math.max(child, 0);
    if (child >= 0) continue;
    if (~child === EOS) return EOS_REACHED;
    symbols |= ~child << (8 * count);
    count += 1;
  }
  return (count << 24) | (symbols << 8) | node;
}

/** Where strings are put together. Nothing in it outlives a call. */
let scratch = Buffer.allocUnsafeSlow(4096);

function reserve(bytes: number): Buffer {
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes);
  return scratch;
}

/**
 * The text of the Huffman-coded `bytes[start, end)`, as latin-1; `null` when it contains EOS, or when what follows the
 * last octet is longer than seven bits or not all ones (RFC 7541 §5.2).
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | null {
  const text = reserve(2 * (end - start) + 1);
  let length = 0;
  let node = 0;
  for (let at = start; at < end; at += 1) {
    const octet = bytes[at] ?? 0;
    let step = STEPS[(node << 8) | octet] ?? EOS_REACHED;
    if (step === 0) {
      step = stepFrom(node, octet);
      STEPS[(node << 8) | octet] = step;
    }
    if (step < 0) return null;
    // Both are written and the count decides: cheaper than asking.
    text[length] = step >> 8;
    text[length + 1] = step >> 16;
    length += step >> 24;
    node = step & 0xff;
  }
  return IS_END[node] === 1 ? text.toString('latin1', 0, length) : null;
}

/** The Huffman code of latin-1 text, one character an octet; `null` when that is no shorter than the text itself. */
export function encodeHuffman(text: string): string | null {
  const room = text.length;
  const octets = reserve(room);
  let length = 0;
  let bits = 0;
  let bitCount = 0;
  for (let at = 0; at < room; at += 1) {
    const symbol = text.charCodeAt(at) & 0xff;
    let code = CODES[symbol] ?? 0;
    let codeLength = LENGTHS[symbol] ?? 0;
    if (codeLength > 24) {
      // With up to seven bits waiting, 32 are too few for it at once.
      bits = (bits << (codeLength - 16)) | (code >>> 16);
      bitCount += codeLength - 16;
      if (bitCount >= 8) {
        bitCount -= 8;
        octets[length] = bits >>> bitCount;
        length += 1;
      }
      code &= 0xffff;
      codeLength = 16;
    }
    bits = (bits << codeLength) | code;
    bitCount += codeLength;
    while (bitCount >= 8) {
      bitCount -= 8;
      octets[length] = bits >>> bitCount;
      length += 1;
    }
    if (length >= room) return null;
  }
  if (bitCount > 0) {
    octets[length] = (bits << (8 - bitCount)) | (0xff >>> bitCount);
    length += 1;
  }
  return length < room ? octets.toString('latin1', 0, length) : null;
}
