import { withDefaults } from '../core/options.ts';
import { HEALTH_DEFAULTS, type HealthOptions } from '../policy/health.ts';

/** How endpoints are probed. */
export interface ProbeOptions extends HealthOptions {
  /** `http` asks for `path`; `tcp` only connects. */
  kind: 'http' | 'tcp';
  path: string;
  method: string;
  /** The `host` of the request; `null`: the endpoint's own. */
  host: string | null;
  headers: Readonly<Record<string, string>>;
  /** From connecting to the end of the answer; over it the probe has failed. */
  timeoutMs: number;
  /** Statuses that pass, such as 200, or `2xx`. */
  expectStatus: readonly (number | string)[];
  /** What the beginning of the body (64 KiB) must contain; `null`: anything. */
  expectBody: string | null;
  /** A field by which an endpoint says that it is degraded; `null`: it cannot. */
  degradedHeader: string | null;
  /** Whether an endpoint takes requests before its first probe has ended. */
  unknownTakesRequests: boolean;
}

export const PROBE_DEFAULTS: Readonly<ProbeOptions> = {
  ...HEALTH_DEFAULTS,
  kind: 'http',
  path: '/',
  method: 'GET',
  host: null,
  headers: {},
  timeoutMs: 1000,
  expectStatus: ['2xx'],
  expectBody: null,
  degradedHeader: null,
  unknownTakesRequests: true,
};

/** Fills it up. Throws `TypeError` naming what is wrong. */
export function probeSettings(given: Partial<ProbeOptions>): ProbeOptions {
  const what = 'upstream: health: active';
  const settings = withDefaults(what, PROBE_DEFAULTS, given, ['degradedLatencyMs']);
  if (settings.kind !== 'http' && settings.kind !== 'tcp') {
    throw new TypeError(`${what}: kind: ${JSON.stringify(settings.kind)} is neither http nor tcp`);
  }
  if (!/^\/[\x21-\x7e]*$/.test(settings.path)) throw new TypeError(`${what}: path: give a path, such as /healthz`);
  const wrong = settings.expectStatus.find((status) => !/^[1-5](?:[0-9]{2}|xx)$/.test(String(status)));
  if (wrong !== undefined) {
    throw new TypeError(`${what}: expectStatus: ${JSON.stringify(wrong)} is no status such as 200 or 2xx`);
  }
  return settings;
}
