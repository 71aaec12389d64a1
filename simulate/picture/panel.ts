import { box, type Colour, text } from './shapes.ts';
import { drawTrack, type Track, trackHeight } from './track.ts';

/** One part of a figure: what happened in one run, as tracks below each other over the same axis. */
export interface Panel {
  readonly title: string;
  /** The run in numbers. */
  readonly notes: readonly string[];
  readonly axis: Axis;
  /** Something is wrong from here to there, in steps. */
  readonly shades: readonly Span[];
  readonly tracks: readonly Track[];
}

/** The horizontal axis: steps of the same width, such as seconds. */
export interface Axis {
  readonly stepCount: number;
  readonly stepWidth: number;
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
}

/** From one step to another, which may be parts of steps. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly colour: Colour;
}

const TITLE_BASE = 12;
const NOTE_HEIGHT = 12;
const HEAD_GAP = 8;
const AXIS_HEIGHT = 16;

const headHeight = ({ notes }: Panel): number => TITLE_BASE + 2 + notes.length * NOTE_HEIGHT + HEAD_GAP;
const tracksHeight = ({ tracks }: Panel): number =>
  tracks.reduce((sum, track, index) => sum + trackHeight(track, tracks[index - 1]), 0);

export const panelWidth = ({ axis }: Panel): number => axis.stepCount * axis.stepWidth;
export const panelHeight = (panel: Panel): number => headHeight(panel) + tracksHeight(panel) + AXIS_HEIGHT;

export function drawPanel(panel: Panel, x: number, y: number): string {
  const { axis, notes, shades, title, tracks } = panel;
  const top = y + headHeight(panel);
  const bottom = top + tracksHeight(panel);
  const at = (step: number): number => x + Math.round(step * axis.stepWidth);
  const parts = [
    text(x, y + TITLE_BASE, title, { bold: true, size: 12 }),
    ...notes.map((note, index) =>
      text(x, y + TITLE_BASE + 14 + index * NOTE_HEIGHT, note, { size: 10, colour: 'faint' }),
    ),
    ...shades.map(({ from, until, colour }) => box(at(from), top, at(until) - at(from), bottom - top, colour)),
  ];
  let trackTop = top;
  for (const [index, track] of tracks.entries()) {
    const height = trackHeight(track, tracks[index - 1]);
    parts.push(...drawTrack(track, { x, base: trackTop + height, axis, at }));
    trackTop += height;
  }
  for (const { at: step, label } of axis.ticks) {
    parts.push(text(at(step), bottom + 12, label, { size: 9, anchor: 'middle', colour: 'faint' }));
  }
  return parts.join('\n');
}
