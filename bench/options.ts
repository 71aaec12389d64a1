import { parseArgs } from 'node:util';
import { chosen } from '../tools/chosen.ts';
import { PEERS, type Peer } from './peers.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly peers: readonly Peer[];
  readonly roundCount: number;
  readonly seconds: number;
  readonly jsonFile: string | null;
  readonly markdownFile: string | null;
}

const HELP = `npm run bench -- [options]

  --scenario <names>   ${SCENARIOS.map(({ name }) => name).join(', ')}
  --peers <names>      ${PEERS.map(({ name }) => name).join(', ')}
  --rounds <number>    rounds for each server, in turn (3)
  --seconds <number>   length of a round (5)
  --json <file>        every round, for programs
  --markdown <file>    the tables, for bench/README.md

Names are separated by commas; without them all take part.
`;

/** Reads the command line. Ends the process with help, or with 2 when it is wrong. */
export function readOptions(args: string[]): Options {
  try {
    const { values } = parseArgs({
      args,
      options: {
        scenario: { type: 'string' },
        peers: { type: 'string' },
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '5' },
        json: { type: 'string' },
        markdown: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    return {
      scenarios: chosen('scenario', SCENARIOS, values.scenario),
      peers: chosen('peer', PEERS, values.peers),
      roundCount: wholeNumber('--rounds', values.rounds, 100),
      seconds: wholeNumber('--seconds', values.seconds, 600),
      jsonFile: values.json ?? null,
      markdownFile: values.markdown ?? null,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exit(2);
  }
}

function wholeNumber(option: string, text: string, max: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw new Error(`${option} takes a whole number from 1 to ${max}, not ${text}`);
}
