import type { Axis, Span } from './panel.ts';
import { area, box, type Colour, line, rule, text } from './shapes.ts';

/** Values, one for each step. `null` is a gap in a line. */
export interface Series {
  /** For the terminal; the legend says it in the picture. */
  readonly name: string;
  readonly kind: 'area' | 'line';
  readonly colour: Colour;
  readonly values: readonly (number | null)[];
  /** Of a line. */
  readonly width?: number;
}

/** What is at the height of which value. */
export type Scale = LinearScale | LogarithmicScale;

interface LinearScale {
  readonly kind: 'linear';
  readonly top: number;
  readonly unit: string;
}

interface LogarithmicScale {
  readonly kind: 'logarithmic';
  readonly from: number;
  readonly top: number;
  /** Values with a line and a label of their own. */
  readonly marks: readonly (readonly [value: number, label: string])[];
}

/** What of a scale says how high a value is. */
type Measure = Omit<LinearScale, 'unit'> | Omit<LogarithmicScale, 'marks'>;

/** Series over a vertical axis. */
export interface Plot {
  readonly kind: 'plot';
  /** Above the plot, where the legend does not say enough. */
  readonly caption?: string;
  readonly height: number;
  readonly scale: Scale;
  readonly series: readonly Series[];
}

/** One line: a little area on coloured spans, and marks. */
export interface Row {
  readonly kind: 'row';
  readonly label: string;
  /** The value that fills it. */
  readonly top: number;
  readonly series: readonly Series[];
  readonly spans: readonly Span[];
  /** Moments, in steps. */
  readonly marks?: readonly { readonly at: number; readonly colour: Colour }[];
}

export type Track = Plot | Row;

/** Where a track goes. */
interface Place {
  readonly x: number;
  readonly base: number;
  readonly axis: Axis;
  readonly at: (step: number) => number;
}

const GAP = 10;
const CAPTION_HEIGHT = 12;
const ROW_HEIGHT = 14;

/** How much room it takes after the one before. */
export function trackHeight(track: Track, before: Track | undefined): number {
  if (track.kind === 'row') return ROW_HEIGHT + (before?.kind === 'plot' ? GAP : 0);
  return track.height + (before === undefined ? 0 : GAP) + (track.caption === undefined ? 0 : CAPTION_HEIGHT);
}

export const drawTrack = (track: Track, place: Place): string[] =>
  track.kind === 'plot' ? drawPlot(track, place) : drawRow(track, place);

function drawPlot({ caption, height, scale, series }: Plot, { x, base, axis }: Place): string[] {
  const label = (y: number, words: string): string =>
    text(x - 4, y, words, { size: 9, anchor: 'end', colour: 'faint' });
  const heightOf = heightOn(scale, height);
  const width = axis.stepCount * axis.stepWidth;
  const head = caption === undefined ? [] : [text(x, base - height - 5, caption, { size: 9, colour: 'faint' })];
  const drawn = series.map((one) => drawSeries(one, x, base, axis.stepWidth, heightOf));
  if (scale.kind === 'linear') {
    const labels = [label(base, '0'), label(base - height + 8, `${scale.top}${scale.unit}`)];
    return [...head, ...drawn, rule(x, base, width), ...labels];
  }
  const rules = scale.marks.flatMap(([value, words]) => {
    const y = base - heightOf(value);
    return [rule(x, y, width), label(y + 3, words)];
  });
  return [...head, ...rules, ...drawn];
}

function drawRow({ label, top, series, spans, marks = [] }: Row, { x, base, axis, at }: Place): string[] {
  const heightOf = heightOn({ kind: 'linear', top }, ROW_HEIGHT - 2);
  const y = base - ROW_HEIGHT;
  return [
    ...spans.map(({ from, until, colour }) => box(at(from), y, at(until) - at(from), ROW_HEIGHT - 1, colour)),
    ...series.map((one) => drawSeries(one, x, base - 1, axis.stepWidth, heightOf)),
    ...marks.map(({ at: step, colour }) => box(at(step) - 1, y, 2, ROW_HEIGHT - 1, colour)),
    text(x - 4, y + 10, label, { size: 9, anchor: 'end', colour: 'faint' }),
  ];
}

function drawSeries(
  series: Series,
  x: number,
  base: number,
  step: number,
  heightOf: (value: number) => number,
): string {
  const { colour, kind, values, width } = series;
  if (kind === 'line') {
    const tops = values.map((value) => (value === null ? null : heightOf(value)));
    return line(x, base, step, tops, colour, width);
  }
  const tops = values.map((value) => (value === null ? 0 : heightOf(value)));
  return area(x, base, step, tops, colour);
}

/** Pixels from the base for a value; what is beyond the scale is at its end. */
export function heightOn(scale: Measure, height: number): (value: number) => number {
  if (scale.kind === 'linear') return (value) => Math.round(Math.min(1, value / scale.top) * height);
  const perDecade = height / Math.log10(scale.top / scale.from);
  return (value) => Math.max(0, Math.min(height, Math.round(perDecade * Math.log10(value / scale.from))));
}
