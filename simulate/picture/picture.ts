import type { Run } from '../run.ts';
import { MARGIN, panel, panelHeight, STEP } from './panel.ts';
import { box, heading, line, svg, text } from './shapes.ts';

const EDGE = 16;
const COLUMN_COUNT = 3;
const COLUMN_GAP = 24;
const ROW_GAP = 18;
const TOP = 62;

/** A scenario under several policies, as SVG: one panel for each, all to the same scale. */
export function picture(runs: readonly Run[]): string {
  const [first] = runs;
  if (first === undefined) return '';
  const { recording, scenario } = first;
  const columnWidth = MARGIN + recording.bins.length * STEP;
  const rowHeight = panelHeight(recording.bins[0]?.shares.length ?? 0);
  const columnCount = Math.min(COLUMN_COUNT, runs.length);
  const width = 2 * EDGE + columnCount * columnWidth + (columnCount - 1) * COLUMN_GAP;
  const rowCount = Math.ceil(runs.length / columnCount);
  const peak = peakPerSec(runs);
  const panels = runs.map((run, index) => {
    const x = EDGE + MARGIN + (index % columnCount) * (columnWidth + COLUMN_GAP);
    return panel(run, x, TOP + Math.floor(index / columnCount) * (rowHeight + ROW_GAP), peak);
  });
  return svg(width, TOP + rowCount * (rowHeight + ROW_GAP), `${scenario.name}: ${scenario.what}`, [
    heading(EDGE, 24, scenario.name, scenario.what),
    ...legend(EDGE, 44),
    ...panels,
  ]);
}

/** The top of the scale: what comes or is tried in a second at most, rounded up. */
function peakPerSec(runs: readonly Run[]): number {
  const counts = runs.flatMap(({ recording: { bins, binMs } }) =>
    bins.flatMap(({ askedCount, attemptCount }) => [askedCount, attemptCount].map((count) => (1000 * count) / binMs)),
  );
  return Math.ceil(Math.max(...counts) / 50) * 50;
}

function legend(x: number, y: number): string[] {
  const parts: string[] = [];
  let at = x;
  const entry = (mark: string, words: string): void => {
    parts.push(mark, text(at + 16, y, words, { size: 10, colour: 'faint' }));
    at += 32 + Math.round(5.6 * words.length);
  };
  entry(box(at, y - 8, 12, 8, 'good'), 'answered/s');
  entry(box(at, y - 8, 12, 8, 'error'), 'errors/s');
  entry(line(at, y - 4, 12, [0], 'attempts'), 'attempts/s');
  entry(line(at, y - 4, 12, [0], 'p99', 2), 'p99');
  entry(line(at, y - 4, 12, [0], 'p50', 2), 'p50');
  entry(box(at, y - 8, 12, 8, 'share'), 'attempts at server #n');
  entry(box(at, y - 8, 12, 8, 'open'), 'breaker open');
  entry(box(at, y - 8, 12, 8, 'half-open'), 'half-open');
  entry(box(at, y - 8, 12, 8, 'ejected'), 'ejected');
  entry(box(at, y - 8, 12, 8, 'fault'), 'fault');
  return parts;
}
