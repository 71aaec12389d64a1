import type { Entry, Round, ScenarioResult } from './results.ts';
import type { Scenario } from './scenarios.ts';
import type { Server } from './server.ts';

/** Who takes part in a scenario, and what was measured so far. A server that fails once is out. */
export class Roster {
  private readonly entries = new Map<string, Entry>();
  private readonly failures = new Map<string, string>();

  /** Does a peer's part, unless it is out. */
  async attempt(peer: string, part: () => Promise<void>): Promise<void> {
    if (this.failures.has(peer)) return;
    try {
      await part();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      console.error(`${peer}: ${why}`);
      this.failures.set(peer, why);
      this.entries.delete(peer);
    }
  }

  record({ peer, version }: Server, round: Round): void {
    const entry = this.entries.get(peer) ?? { peer, version, rounds: [] };
    entry.rounds.push(round);
    this.entries.set(peer, entry);
  }

  result(scenario: Scenario): ScenarioResult {
    const absent = [...this.failures].map(([peer, why]) => ({ peer, why }));
    return { scenario, entries: [...this.entries.values()], absent };
  }
}
