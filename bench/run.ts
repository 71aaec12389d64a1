import { writeFileSync } from 'node:fs';
import { idleRound } from './idle.ts';
import { loadRound } from './load.ts';
import { readOptions } from './options.ts';
import type { Peer } from './peers.ts';
import { settle } from './program.ts';
import { jsonReport, markdownReport, terminalReport, thisMachine } from './report.ts';
import type { ScenarioResult } from './results.ts';
import { Roster } from './roster.ts';
import type { Scenario } from './scenarios.ts';
import { type Server, startOrigin, startServer } from './server.ts';

const WARM_UP_SECONDS = 2;

const options = readOptions(process.argv.slice(2));
settle();

const results: ScenarioResult[] = [];
for (const scenario of options.scenarios) {
  const peers = options.peers.filter((peer) => scenario.peers.includes(peer.name));
  const result = scenario.load === null ? await heldInTurn(scenario, peers) : await loadedInTurn(scenario, peers);
  results.push(result);
  console.log(terminalReport(result));
  // After each scenario, so that an interrupted run leaves what it has.
  const machine = thisMachine();
  if (options.jsonFile !== null) writeFileSync(options.jsonFile, jsonReport(results, machine));
  if (options.markdownFile !== null)
    writeFileSync(options.markdownFile, markdownReport(results, machine, options.roundCount, options.seconds));
}
process.exit(0);

/** All servers stay up, and have their rounds in turn: A B C, A B C. */
async function loadedInTurn(scenario: Scenario, peers: readonly Peer[]): Promise<ScenarioResult> {
  await using stack = new AsyncDisposableStack();
  const origin = scenario.site === 'proxy' ? stack.use(await startOrigin(scenario)) : null;
  const roster = new Roster();
  const servers: Server[] = [];
  for (const peer of peers)
    await roster.attempt(peer.name, async () => {
      const server = stack.use(await startServer(peer, scenario, origin ?? undefined));
      await loadRound(server, scenario, WARM_UP_SECONDS);
      servers.push(server);
    });
  for (let round = 1; round <= options.roundCount; round += 1)
    for (const server of servers)
      await roster.attempt(server.peer, async () => {
        progress(scenario, round, server.peer);
        roster.record(server, await loadRound(server, scenario, options.seconds));
      });
  return roster.result(scenario);
}

/** Each round has a fresh server, for memory once taken is rarely given back. */
async function heldInTurn(scenario: Scenario, peers: readonly Peer[]): Promise<ScenarioResult> {
  const roster = new Roster();
  for (let round = 1; round <= options.roundCount; round += 1)
    for (const peer of peers)
      await roster.attempt(peer.name, async () => {
        progress(scenario, round, peer.name);
        await using server = await startServer(peer, scenario);
        roster.record(server, await idleRound(server, scenario));
      });
  return roster.result(scenario);
}

function progress({ name }: Scenario, round: number, peer: string): void {
  console.error(`${name}, round ${round} of ${options.roundCount}: ${peer}`);
}
