/** The parts of an SVG that the pictures are made of. All coordinates are whole pixels: small files, sharp lines. */

const COLOURS = {
  ground: '#ffffff',
  ink: '#24292f',
  faint: '#6e7781',
  rule: '#d0d7de',
  fault: '#eef1f4',
  good: '#4ac26b',
  error: '#e5534b',
  attempts: '#24292f',
  p50: '#7d8590',
  p99: '#0969da',
  share: '#3b5b80',
  'half-open': '#f2c14e',
  open: '#f3a29c',
  ejected: '#cdb0f2',
  unhealthy: '#f5b5d8',
  limit: '#bc4c00',
  offered: '#8c959f',
  pale: '#dbe9f9',
  first: '#1a7f37',
  second: '#0969da',
  third: '#d1559b',
} as const;
export type Colour = keyof typeof COLOURS;

export interface TextParts {
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly bold?: boolean;
  readonly colour?: Colour;
}

export function text(x: number, y: number, words: string, parts: TextParts = {}): string {
  const { size = 11, anchor = 'start', bold = false, colour = 'ink' } = parts;
  const weight = bold ? ' font-weight="600"' : '';
  const aligned = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${COLOURS[colour]}"${weight}${aligned}>${escaped(words)}</text>`;
}

/** A title, and what it means behind it. */
export function heading(x: number, y: number, title: string, words: string): string {
  const behind = `<tspan font-size="12" font-weight="400" fill="${COLOURS.faint}" dx="10">${escaped(words)}</tspan>`;
  return `<text x="${x}" y="${y}" font-size="16" font-weight="600" fill="${COLOURS.ink}">${escaped(title)}${behind}</text>`;
}

export function box(x: number, y: number, width: number, height: number, colour: Colour): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${COLOURS[colour]}"/>`;
}

export function rule(x: number, y: number, width: number): string {
  return `<path d="M${x} ${y}h${width}" stroke="${COLOURS.rule}"/>`;
}

/** Steps of equal width between two lines; heights are counted from `base` upwards. */
export function area(x: number, base: number, step: number, tops: readonly number[], colour: Colour): string {
  return `<path d="M${x} ${base}${steps(x, base, step, tops)}V${base}z" fill="${COLOURS[colour]}"/>`;
}

/** The upper edge of the same; `null` is a gap. */
export function line(
  x: number,
  base: number,
  step: number,
  tops: readonly (number | null)[],
  colour: Colour,
  width = 1,
): string {
  const parts: string[] = [];
  let run: number[] = [];
  for (let at = 0; at <= tops.length; at += 1) {
    const top = tops[at] ?? null;
    if (top !== null) run.push(top);
    else if (run.length > 0) {
      const fromX = x + step * (at - run.length);
      parts.push(`M${fromX} ${base - (run[0] ?? 0)}${steps(fromX, base, step, run)}`);
      run = [];
    }
  }
  return `<path d="${parts.join('')}" fill="none" stroke="${COLOURS[colour]}" stroke-width="${width}"/>`;
}

function steps(x: number, base: number, step: number, tops: readonly number[]): string {
  let path = '';
  for (const [at, top] of tops.entries()) {
    if (at === 0 || top !== tops[at - 1]) path += `V${base - top}`;
    if (top !== tops[at + 1]) path += `H${x + step * (at + 1)}`;
  }
  return path;
}

export function svg(width: number, height: number, title: string, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui,'Segoe UI',Helvetica,Arial,sans-serif">`,
    `<title>${escaped(title)}</title>`,
    box(0, 0, width, height, 'ground'),
    ...content,
    '</svg>\n',
  ].join('\n');
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
