import type { Balancer } from '../policy/balance/candidate.ts';
import { mix } from '../policy/balance/identity.ts';
import { drawShare, type SpillOptions, type Strength, tierShares, zoneShares } from '../policy/tiers.ts';
import type { Endpoint } from './endpoint.ts';

/** The endpoints of one tier in one zone, and whose turn it is among them. */
interface Division {
  readonly zone: string;
  readonly members: Set<Endpoint>;
  readonly balancer: Balancer<Endpoint>;
}

interface Tier {
  readonly priority: number;
  readonly divisions: Division[];
  zoneRatios: readonly number[];
}

type Usable = (endpoint: Endpoint) => boolean;

/** What decides where requests go. */
export interface RosterOptions {
  readonly newBalancer: () => Balancer<Endpoint>;
  readonly spill: SpillOptions;
  /** The zone that we are in; empty: in none. */
  readonly zone: string;
  readonly random: () => number;
}

/**
 * The endpoints of an upstream and whose turn it is: first which tier and zone, by what they can carry, then which
 * endpoint there, by the balancing policy. Tiers and zones are looked at again only when somebody comes, goes, or changes
 * how he stands.
 */
export class Roster {
  /** Everybody; also those that leave, until their last request is answered. */
  readonly all = new Set<Endpoint>();
  /** It is not known yet who there is. */
  seeking = false;
  private readonly byId = new Map<string, Endpoint>();
  private readonly options: RosterOptions;
  private readonly leaving = new Map<Endpoint, PromiseWithResolvers<void>>();
  private ranked: Tier[] = [];
  /** Of those in turn. */
  private readonly room = { servingCount: 0, growingCount: 0 };
  private tierRatios: readonly number[] = [];
  /** Somebody has come, gone or changed since they were ranked. */
  private stale = false;
  /** Whose load or weight has changed meanwhile. */
  private readonly changed = new Set<Endpoint>();

  constructor(options: RosterOptions) {
    this.options = options;
  }

  add(endpoint: Endpoint): void {
    this.all.add(endpoint);
    this.byId.set(endpoint.id, endpoint);
    this.review();
  }

  /** Those that take part, by their id. */
  get present(): ReadonlyMap<string, Endpoint> {
    return this.byId;
  }

  /** It takes no new requests. */
  leave(endpoint: Endpoint): void {
    endpoint.draining = true;
    this.byId.delete(endpoint.id);
    this.review();
  }

  /** It is gone. */
  forget(endpoint: Endpoint): void {
    this.all.delete(endpoint);
    this.leaving.get(endpoint)?.resolve();
    this.leaving.delete(endpoint);
  }

  /** Resolves when an endpoint that leaves is gone. */
  gone(endpoint: Endpoint): Promise<void> {
    if (!this.all.has(endpoint)) return Promise.resolve();
    const leaving = this.leaving.get(endpoint) ?? Promise.withResolvers<void>();
    this.leaving.set(endpoint, leaving);
    return leaving.promise;
  }

  /** Its load or its weight has changed. */
  update(endpoint: Endpoint): void {
    if (this.stale) this.changed.add(endpoint);
    else this.divisionOf(endpoint)?.balancer.update(endpoint);
  }

  /** `serving`, `growing`: what is counted of it. */
  roomChanged(endpoint: Endpoint, serving: boolean, growing: boolean): void {
    if (endpoint.inTurn) {
      this.room.servingCount += Number(serving) - Number(endpoint.serving);
      this.room.growingCount += Number(growing) - Number(endpoint.growing);
    }
    endpoint.serving = serving;
    endpoint.growing = growing;
  }

  /**
   * Whose turn it is among those that are `usable`; `null` when nobody is. `roomIsLeft`: whether those in turn are worth
   * asking. `takesTurn`: see `Balancer.pick`.
   */
  pick(usable: Usable, key: number | null, roomIsLeft = true, takesTurn = true): Endpoint | null {
    return (roomIsLeft ? this.pickInTurn(usable, key, takesTurn) : null) ?? this.lastResort(usable);
  }

  private pickInTurn(usable: Usable, key: number | null, takesTurn: boolean): Endpoint | null {
    const { random } = this.options;
    const { tiers } = this;
    const only = tiers[0];
    if (only === undefined) return null;
    if (tiers.length === 1 && only.divisions.length === 1) {
      return only.divisions[0]?.balancer.pick(usable, key, random, takesTurn) ?? null;
    }
    const drawn = tiers[drawShare(this.tierRatios, draw(key, TIER_SEED, random))] ?? only;
    const first = this.pickInTier(drawn, usable, key, takesTurn);
    if (first !== null) return first;
    for (const tier of tiers) {
      const endpoint = tier === drawn ? null : this.pickInTier(tier, usable, key, takesTurn);
      if (endpoint !== null) return endpoint;
    }
    return null;
  }

  private pickInTier(tier: Tier, usable: Usable, key: number | null, takesTurn: boolean): Endpoint | null {
    const { random } = this.options;
    const drawn = tier.divisions[drawShare(tier.zoneRatios, draw(key, ZONE_SEED, random))];
    const first = drawn?.balancer.pick(usable, key, random, takesTurn) ?? null;
    if (first !== null) return first;
    for (const division of tier.divisions) {
      const endpoint = division === drawn ? null : division.balancer.pick(usable, key, random, takesTurn);
      if (endpoint !== null) return endpoint;
    }
    return null;
  }

  /**
   * While all that take requests have tripped their breakers nothing is lost by asking one that is ejected: it has failed
   * before they did, and may be well again. What probes say of it holds, and so does its own breaker.
   */
  private lastResort(usable: Usable): Endpoint | null {
    const { random, spill } = this.options;
    if (spill.panicRatio === null || this.some(isAsked)) return null;
    const ejected = [...this.byId.values()].filter(
      (endpoint) =>
        endpoint.standing.rank === 'out' && endpoint.standing.healthState !== 'unhealthy' && usable(endpoint),
    );
    return ejected[Math.floor(random() * ejected.length)] ?? null;
  }

  /** Of those in turn: how many have a connection with room, and how many may have more of them. */
  get roomInTurn(): { readonly servingCount: number; readonly growingCount: number } {
    if (this.stale) this.rank();
    return this.room;
  }

  /** Whether there is one among those that take requests. */
  some(test: (endpoint: Endpoint) => boolean): boolean {
    for (const { divisions } of this.tiers) {
      for (const { members } of divisions) {
        for (const endpoint of members) if (test(endpoint)) return true;
      }
    }
    return false;
  }

  /** Whether there will perhaps be one soon: some are being looked for, or have not been tried yet. */
  get promising(): boolean {
    return this.seeking || [...this.byId.values()].some(({ standing }) => standing.rank === 'untried');
  }

  /** Somebody has come, left, or stands otherwise than before. Looked at when it is asked next: many may change at once. */
  review(): void {
    this.stale = true;
  }

  private get tiers(): readonly Tier[] {
    if (this.stale) this.rank();
    return this.ranked;
  }

  /** Who takes requests, and what each tier and zone takes. */
  private rank(): void {
    this.stale = false;
    const active = [...this.byId.values()];
    const priorities = [...new Set(active.map(({ traits }) => traits.priority))].sort((a, b) => a - b);
    const strengths = priorities.map((priority) =>
      strength(active.filter(({ traits }) => traits.priority === priority)),
    );
    const shares = tierShares(strengths, this.options.spill);
    this.tierRatios = shares.map(({ ratio }) => ratio);
    this.ranked = priorities.map((priority, index) => {
      const members = active.filter(({ traits }) => traits.priority === priority);
      const before = this.ranked.find((tier) => tier.priority === priority);
      return this.reviewTier(priority, members, shares[index]?.panics === true, before);
    });
    for (const endpoint of this.changed) this.divisionOf(endpoint)?.balancer.update(endpoint);
    this.changed.clear();
    this.recount();
  }

  private recount(): void {
    for (const endpoint of this.all) endpoint.inTurn = false;
    this.room.servingCount = 0;
    this.room.growingCount = 0;
    for (const { divisions } of this.tiers) {
      for (const { members } of divisions) {
        for (const endpoint of members) {
          endpoint.inTurn = true;
          this.room.servingCount += Number(endpoint.serving);
          this.room.growingCount += Number(endpoint.growing);
        }
      }
    }
  }

  private reviewTier(priority: number, members: readonly Endpoint[], panics: boolean, before: Tier | undefined): Tier {
    const zones = [...new Set(members.map(({ traits }) => traits.zone))];
    const divisions = zones.map((zone): Division => {
      const known = before?.divisions.find((division) => division.zone === zone);
      const division = known ?? { zone, members: new Set(), balancer: this.options.newBalancer() };
      const inZone = members.filter(({ traits }) => traits.zone === zone);
      // In a panic everybody is asked: the few that stand well would fall next.
      enlist(division, new Set(panics ? inZone.filter(isTried) : bestOf(inZone)));
      return division;
    });
    const strengths = zones.map((zone) => strength(members.filter(({ traits }) => traits.zone === zone)));
    return {
      priority,
      divisions,
      zoneRatios: zoneShares(strengths, zones.indexOf(this.options.zone), this.options.spill),
    };
  }

  private divisionOf({ traits }: Endpoint): Division | undefined {
    const { tiers } = this;
    const tier = tiers.length === 1 ? tiers[0] : tiers.find(({ priority }) => priority === traits.priority);
    if (tier === undefined) return undefined;
    return tier.divisions.length === 1 ? tier.divisions[0] : tier.divisions.find(({ zone }) => zone === traits.zone);
  }
}

const TIER_SEED = 0x7f4a7c15;
const ZONE_SEED = 0x3c6ef372;

/** A number in [0, 1): the same for the same key, so that what is pinned stays where it is while traffic spills over. */
function draw(key: number | null, seed: number, random: () => number): number {
  return key === null ? random() : mix(key ^ seed) / 2 ** 32;
}

/** Makes these, and only these, the members of a division. */
function enlist({ members, balancer }: Division, wanted: ReadonlySet<Endpoint>): void {
  for (const endpoint of members) {
    if (wanted.has(endpoint)) continue;
    members.delete(endpoint);
    balancer.remove(endpoint);
  }
  for (const endpoint of wanted) {
    if (members.has(endpoint)) continue;
    members.add(endpoint);
    balancer.add(endpoint);
  }
}

/** It takes requests, and its breaker lets them through. */
const isAsked = ({ standing: { breaker, takesRequests } }: Endpoint): boolean =>
  takesRequests && (breaker === null || breaker.state === 'closed');

const isTried = ({ standing }: Endpoint): boolean => standing.rank !== 'untried';

/** Those that stand well; where nobody does, those that are degraded. */
function bestOf(endpoints: readonly Endpoint[]): Endpoint[] {
  const well = endpoints.filter(({ standing }) => standing.rank === 'well');
  return well.length > 0 ? well : endpoints.filter(({ standing }) => standing.rank === 'degraded');
}

/** Those that have not been tried yet are taken to be well: they will be known soon, and a panic is not called off at once. */
function strength(endpoints: readonly Endpoint[]): Strength {
  let totalWeight = 0;
  let healthyWeight = 0;
  for (const { traits, standing } of endpoints) {
    totalWeight += traits.weight;
    if (standing.rank !== 'out') healthyWeight += traits.weight;
  }
  return { totalWeight, healthyWeight };
}
