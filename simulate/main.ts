import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOptions } from './options.ts';
import { draw } from './picture/figure.ts';
import { scenarioFigure } from './picture/scenario.ts';
import { type Run, run } from './run.ts';
import { errorLine, plot, table } from './table.ts';

const { plots, policies, scenarios, seed, svgFolder } = readOptions(process.argv.slice(2));

for (const scenario of scenarios) {
  const runs: Run[] = [];
  for (const policy of policies) runs.push(await run(scenario, policy, seed));
  console.log(`${scenario.name}: ${scenario.what}\n${table(runs)}\n`);
  if (plots)
    for (const one of runs) console.log(`  ${one.policy.name}: ${errorLine(one) || 'no errors'}\n${plot(one)}\n`);
  if (svgFolder === null) continue;
  mkdirSync(svgFolder, { recursive: true });
  writeFileSync(join(svgFolder, `${scenario.name}.svg`), draw(scenarioFigure(scenario, runs)));
}
