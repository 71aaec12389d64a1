import { parseArgs } from 'node:util';
import { chosen } from '../tools/chosen.ts';
import { POLICIES, type Policy } from './policies.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { STUDIES } from './studies/studies.ts';
import type { Study } from './studies/study.ts';

/** What is to be simulated, and what is to be shown of it. */
export interface Options {
  readonly studies: readonly Study[];
  readonly scenarios: readonly Scenario[];
  readonly policies: readonly Policy[];
  readonly seed: number;
  readonly plots: boolean;
  readonly svgFolder: string | null;
}

/** The seed of the pictures in docs/policies. */
export const DEFAULT_SEED = 1;

const HELP = `npm run simulate -- [options]

  --study <names>      what one policy decides: ${STUDIES.map(({ name }) => name).join(', ')}
  --scenario <names>   faults, under several policies: ${SCENARIOS.map(({ name }) => name).join(', ')}
  --policy <names>     ${POLICIES.map(({ name }) => name).join(', ')}
  --seed <number>      the same seed gives the same run (${DEFAULT_SEED})
  --plot               step by step
  --svg <folder>       writes a picture of each; npm run simulate -- --svg docs/policies makes those of the docs

Names are separated by commas. Without any all studies and scenarios take part; with some of one kind those only.
`;

/** Reads the command line. Ends the process with help, or with 2 when it is wrong. */
export function readOptions(args: string[]): Options {
  try {
    const { values } = parseArgs({
      args,
      options: {
        study: { type: 'string' },
        scenario: { type: 'string' },
        policy: { type: 'string' },
        seed: { type: 'string', default: String(DEFAULT_SEED) },
        plot: { type: 'boolean', default: false },
        svg: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const seed = Number(values.seed);
    if (!Number.isSafeInteger(seed)) throw new Error(`--seed takes a whole number, not ${values.seed}`);
    const wantsScenarios = values.scenario !== undefined || values.policy !== undefined;
    const wantsStudies = values.study !== undefined;
    return {
      studies: wantsScenarios && !wantsStudies ? [] : chosen('study', STUDIES, values.study),
      scenarios: wantsStudies && !wantsScenarios ? [] : chosen('scenario', SCENARIOS, values.scenario),
      policies: chosen('policy', POLICIES, values.policy),
      seed,
      plots: values.plot,
      svgFolder: values.svg ?? null,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exit(2);
  }
}
