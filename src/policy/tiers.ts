import { withDefaults } from '../core/options.ts';

/** Weights of the endpoints of one tier or zone. */
export interface Strength {
  /** Of all of them. */
  readonly totalWeight: number;
  /** Of those that may take requests. */
  readonly healthyWeight: number;
}

/** When traffic spills over from one tier or zone to others. */
export interface SpillOptions {
  /**
   * What tiers and zones can carry beyond their due. With 0.4 one holds all its traffic until fewer than 1 / 1.4, 71 %, of
   * its weight are healthy.
   */
  spareRatio: number;
  /**
   * A tier of which less is healthy panics when not all traffic can be carried: its requests go to all its endpoints,
   * healthy or not, for the few that are would fall next. `null` is off.
   */
  panicRatio: number | null;
}

export const SPILL_DEFAULTS: Readonly<SpillOptions> = { spareRatio: 0.4, panicRatio: 0.5 };

/** Fills options up. Throws `TypeError` naming every wrong field. */
export const spillOptions = (given?: Partial<SpillOptions>): SpillOptions =>
  withDefaults('spill', SPILL_DEFAULTS, given, { offable: ['panicRatio'] });

/** What a tier takes. */
export interface TierShare {
  /** Of all requests; the shares of all tiers add up to 1. */
  readonly ratio: number;
  /** Its requests go to all its endpoints, healthy or not. */
  readonly panics: boolean;
}

/**
 * What each tier takes, the first priority first, after Envoy's priority levels: a tier can carry
 * min(1, (1 + spareRatio) × healthy / total) of the traffic, and takes what those before it cannot. When all together
 * cannot carry it, shares are scaled up to 1. When nothing at all is healthy they go by total weight, with panic on.
 */
export function tierShares(tiers: readonly Strength[], options: Readonly<SpillOptions>): TierShare[] {
  const capacities = tiers.map((tier) => capacity(tier, options.spareRatio));
  const carried = Math.min(1, sumOf(capacities));
  const totalWeight = sumOf(tiers.map((tier) => tier.totalWeight));
  let left = carried;
  return tiers.map((tier, index) => {
    const panics = options.panicRatio !== null && carried < 1 && healthyRatio(tier) < options.panicRatio;
    if (carried === 0) return { ratio: totalWeight === 0 ? 1 / tiers.length : tier.totalWeight / totalWeight, panics };
    const taken = Math.min(left, capacities[index] ?? 0);
    left -= taken;
    return { ratio: taken / carried, panics };
  });
}

/**
 * What each zone takes of a tier's requests: `own` first, as much as it can carry, reckoned as for tiers; the others the
 * rest, in proportion to what is healthy of them. An `own` that is no index is a zone without endpoints. When nothing is
 * healthy, shares go by total weight.
 */
export function zoneShares(zones: readonly Strength[], own: number, options: Readonly<SpillOptions>): number[] {
  const healthy = sumOf(zones.map((zone) => zone.healthyWeight));
  const total = sumOf(zones.map((zone) => zone.totalWeight));
  if (healthy === 0) return zones.map((zone) => (total === 0 ? 1 / zones.length : zone.totalWeight / total));
  const home = zones[own];
  const others = healthy - (home?.healthyWeight ?? 0);
  if (others === 0) return zones.map((_, zone) => (zone === own ? 1 : 0));
  const atHome = home === undefined ? 0 : capacity(home, options.spareRatio);
  return zones.map(({ healthyWeight }, zone) => (zone === own ? atHome : ((1 - atHome) * healthyWeight) / others));
}

/** The index of the share that `random` in [0, 1) falls on; -1 when there is none. */
export function drawShare(ratios: readonly number[], random: number): number {
  let rest = random;
  let last = -1;
  for (let index = 0; index < ratios.length; index += 1) {
    const ratio = ratios[index] ?? 0;
    if (ratio <= 0) continue;
    last = index;
    rest -= ratio;
    if (rest < 0) break;
  }
  return last;
}

function capacity(tier: Strength, spareRatio: number): number {
  return Math.min(1, (1 + spareRatio) * healthyRatio(tier));
}

function healthyRatio({ healthyWeight, totalWeight }: Strength): number {
  return totalWeight > 0 ? Math.min(1, healthyWeight / totalWeight) : 0;
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
