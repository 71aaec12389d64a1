import type { Policy } from './policies.ts';
import type { Recording } from './recording.ts';
import type { Scenario } from './scenarios.ts';
import { type Leftovers, World, type WorldParts } from './world.ts';

/** A run, with all that it left behind. */
export interface Run {
  readonly scenario: Scenario;
  readonly policy: Policy;
  readonly seed: number;
  readonly recording: Recording;
  readonly leftovers: Leftovers;
}

/** Lets requests come while something goes wrong. The same seed gives the same run. */
export async function run(scenario: Scenario, policy: Policy, seed: number, parts: WorldParts = {}): Promise<Run> {
  const world = new World(scenario, policy, seed, parts);
  await world.play();
  return { scenario, policy, seed, recording: world.recording, leftovers: await world.windUp() };
}
