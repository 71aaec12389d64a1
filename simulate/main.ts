import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOptions } from './options.ts';
import { draw, type Figure } from './picture/figure.ts';
import { scenarioFigure } from './picture/scenario.ts';
import { type Run, run } from './run.ts';
import { errorLine, plot, scenarioTable, table } from './table.ts';

const { plots, policies, scenarios, seed, studies, svgFolder } = readOptions(process.argv.slice(2));

for (const study of studies) {
  const findings = await study.run(seed);
  console.log(`${study.name}: ${study.what}\n${findings.tables.map(table).join('\n')}\n`);
  show(findings.figure);
}

for (const scenario of scenarios) {
  const runs: Run[] = [];
  for (const policy of policies) runs.push(await run(scenario, policy, seed));
  console.log(`${scenario.name}: ${scenario.what}\n${table(scenarioTable(runs))}\n`);
  if (plots) for (const one of runs) console.log(`  ${one.policy.name}: ${errorLine(one) || 'no errors'}`);
  show(scenarioFigure(scenario, runs));
}

/** Step by step, and as a picture, as far as these are wanted. */
function show(figure: Figure): void {
  if (plots) for (const panel of figure.panels) console.log(`  ${panel.title}\n${plot(panel)}\n`);
  if (svgFolder === null) return;
  mkdirSync(svgFolder, { recursive: true });
  writeFileSync(join(svgFolder, `${figure.name}.svg`), draw(figure));
}
