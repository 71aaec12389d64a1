import type { Phase } from '../core/lifecycle.ts';
import type { Activity, CloseReason, Refusal } from '../core/runner.ts';
import type { HandshakeRefusal } from '../transport/tls/handshake-budget.ts';
import type { DrainStage } from './drain.ts';
import type { Listener, ListenerAddress } from './listener.ts';

/** Open connections by what they are doing. */
type ConnectionCounts = Readonly<Record<Activity, number>> & { readonly total: number };

export interface ListenerStatus {
  readonly name: string;
  readonly address: ListenerAddress;
  readonly phase: Phase;
  readonly connections: ConnectionCounts;
  /** The budget in force: the configured one, or what the process's file limit leaves. */
  readonly connectionMaxCount: number;
  readonly requests: { readonly served: number; readonly inFlight: number };
  readonly refused: Readonly<Partial<Record<Refusal | HandshakeRefusal, number>>>;
  readonly closed: Readonly<Partial<Record<CloseReason, number>>>;
}

/** A server at this moment. Counted when asked, from the connections themselves; never waits for anything. */
export interface ServerStatus {
  readonly phase: Phase;
  /** Accepting, but a drain is announced: readiness should fail. */
  readonly noticed: boolean;
  readonly drain: DrainStage | null;
  readonly connections: ConnectionCounts;
  readonly requests: { readonly served: number; readonly inFlight: number };
  readonly refused: Readonly<Partial<Record<Refusal | HandshakeRefusal, number>>>;
  readonly listeners: readonly ListenerStatus[];
}

/** What does not change while a server lives. */
export interface ServerInfo {
  readonly name: string;
  readonly pid: number;
  readonly node: string;
  readonly startedAt: Date;
  readonly uptimeMs: number;
}

export function listenerStatus(listener: Listener): ListenerStatus {
  const connections = { handshake: 0, reading: 0, 'in-flight': 0, idle: 0, stream: 0, total: 0 };
  for (const connection of listener.connections) {
    connections[connection.activity] += 1;
    connections.total += 1;
  }
  return {
    name: listener.name,
    address: listener.address,
    phase: listener.life.phase,
    connections,
    connectionMaxCount: listener.connectionMaxCount,
    requests: { served: listener.servedCount, inFlight: listener.inFlightCount },
    refused: Object.fromEntries(listener.refused),
    closed: Object.fromEntries(listener.closed),
  };
}
