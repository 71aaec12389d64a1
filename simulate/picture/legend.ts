import { box, type Colour, line, text } from './shapes.ts';

/** What a colour stands for. `width`: of a line; without it the colour fills something. */
export interface LegendEntry {
  readonly words: string;
  readonly colour: Colour;
  readonly width?: number;
}

const LINE_HEIGHT = 18;

/** About as wide as the words are. */
const widthOf = ({ words }: LegendEntry): number => 32 + Math.round(5.6 * words.length);

/** Where each entry goes: as many in a line as fit before `toX`. */
function places(entries: readonly LegendEntry[], fromX: number, toX: number): { x: number; row: number }[] {
  let [x, row] = [fromX, 0];
  return entries.map((entry) => {
    if (x > fromX && x + widthOf(entry) > toX) [x, row] = [fromX, row + 1];
    const place = { x, row };
    x += widthOf(entry);
    return place;
  });
}

/** How much room it takes, with what comes below it. */
export const legendHeight = (entries: readonly LegendEntry[], width: number): number =>
  LINE_HEIGHT * (1 + Math.max(0, ...places(entries, 0, width).map(({ row }) => row)));

export function drawLegend(entries: readonly LegendEntry[], fromX: number, base: number, toX: number): string[] {
  const at = places(entries, fromX, toX);
  return entries.flatMap(({ words, colour, width }, index) => {
    const { x = fromX, row = 0 } = at[index] ?? {};
    const y = base + row * LINE_HEIGHT;
    const mark = width === undefined ? box(x, y - 8, 12, 8, colour) : line(x, y - 4, 12, [0], colour, width);
    return [mark, text(x + 16, y, words, { size: 10, colour: 'faint' })];
  });
}
