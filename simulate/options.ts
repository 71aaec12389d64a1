import { parseArgs } from 'node:util';
import { chosen } from '../tools/chosen.ts';
import { POLICIES, type Policy } from './policies.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

/** What is to be simulated, and what is to be shown of it. */
export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly policies: readonly Policy[];
  readonly seed: number;
  readonly plots: boolean;
  readonly svgFolder: string | null;
}

/** The seed of the pictures in docs/policies. */
export const DEFAULT_SEED = 1;

const HELP = `npm run simulate -- [options]

  --scenario <names>   ${SCENARIOS.map(({ name }) => name).join(', ')}
  --policy <names>     ${POLICIES.map(({ name }) => name).join(', ')}
  --seed <number>      the same seed gives the same run (${DEFAULT_SEED})
  --plot               second by second
  --svg <folder>       writes a picture of each scenario; npm run simulate -- --svg docs/policies makes those of the docs

Names are separated by commas; without them all take part.
`;

/** Reads the command line. Ends the process with help, or with 2 when it is wrong. */
export function readOptions(args: string[]): Options {
  try {
    const { values } = parseArgs({
      args,
      options: {
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
    return {
      scenarios: chosen('scenario', SCENARIOS, values.scenario),
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
