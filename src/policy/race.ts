/**
 * Which attempts of a request are under way: its `first`, or a later one in its place; a `hedge`, which was sent beside it
 * because it takes long; or `both`. `none`: another is yet to be sent. `over`: the request has its answer, or gets none.
 */
export type Race = 'none' | 'first' | 'both' | 'hedge' | 'over';
export type RaceStep = 'send' | 'hedge' | 'first-in-vain' | 'hedge-in-vain' | 'end';

/**
 * The whole race. An attempt that comes to nothing leaves the other one running, and only when none is left is it decided
 * what comes next. A missing cell means the step cannot be taken: what comes of an attempt that has lost changes nothing.
 */
export const RACE: Readonly<Record<Race, Partial<Record<RaceStep, Race>>>> = {
  none: { send: 'first', end: 'over' },
  first: { hedge: 'both', 'first-in-vain': 'none', end: 'over' },
  both: { 'first-in-vain': 'hedge', 'hedge-in-vain': 'first', end: 'over' },
  hedge: { 'hedge-in-vain': 'none', end: 'over' },
  over: {},
};
