import type { EndpointOptions } from './endpoint-source.ts';

/** Hears of all the endpoints that there are, each time these are others than before. Never of none. */
export type OnEndpoints = (endpoints: readonly EndpointOptions[]) => void;

/** Finds out where the servers of an upstream are. DNS is one way; a registry of services would be another. */
export interface Discovery {
  /** Begins to look, and goes on looking. Nothing is heard before it has returned. */
  start(onEndpoints: OnEndpoints): void;
  /** Nothing is heard after this. */
  stop(): void;
}

/** Whether it is one rather than the options of one. */
export const isDiscovery = (given: object): given is Discovery => 'start' in given && typeof given.start === 'function';
