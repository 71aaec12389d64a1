import { drawLegend, type LegendEntry, legendHeight } from './legend.ts';
import { drawPanel, type Panel, panelHeight, panelWidth } from './panel.ts';
import { heading, svg } from './shapes.ts';

/** A picture: panels side by side, all drawn to the scales that they name. */
export interface Figure {
  readonly name: string;
  /** What is to be seen, for people. */
  readonly what: string;
  readonly legend: readonly LegendEntry[];
  readonly columnCount: number;
  readonly panels: readonly Panel[];
}

const EDGE = 16;
/** For the numbers of the y-axes. */
const MARGIN = 34;
const COLUMN_GAP = 24;
const ROW_GAP = 18;
const LEGEND_BASE = 44;

/** The figure as SVG. */
export function draw({ name, what, legend, columnCount, panels }: Figure): string {
  const columnWidth = MARGIN + Math.max(...panels.map(panelWidth));
  const usedCount = Math.min(columnCount, panels.length);
  const width = 2 * EDGE + usedCount * columnWidth + (usedCount - 1) * COLUMN_GAP;
  const parts: string[] = [];
  let top = LEGEND_BASE + legendHeight(legend, width - EDGE);
  for (let first = 0; first < panels.length; first += columnCount) {
    const row = panels.slice(first, first + columnCount);
    for (const [column, panel] of row.entries()) {
      parts.push(drawPanel(panel, EDGE + MARGIN + column * (columnWidth + COLUMN_GAP), top));
    }
    top += Math.max(...row.map(panelHeight)) + ROW_GAP;
  }
  return svg(width, top, `${name}: ${what}`, [
    heading(EDGE, 24, name, what),
    ...drawLegend(legend, EDGE, LEGEND_BASE, width - EDGE),
    ...parts,
  ]);
}
