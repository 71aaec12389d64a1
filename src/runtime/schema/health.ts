import { z } from 'zod';
import {
  EXPECTED_STATUS,
  PROBE_DEFAULTS,
  PROBE_KINDS,
  PROBE_METHOD,
  PROBE_PATH,
  type ProbeOptions,
  probeSettings,
} from '../../upstream/probe-options.ts';
import { outlier } from './outlier.ts';
import { headers } from './route.ts';
import { consistent, count, fieldName, milliseconds, offable, ratio, setting, text } from './unit.ts';

const STATUS = 'a status such as 200, or a class such as 2xx';
const status = z.union([z.string(), z.number()], STATUS).refine((value) => EXPECTED_STATUS.test(String(value)), STATUS);

const options = {
  kind: setting(
    z.enum(PROBE_KINDS),
    '`http`: asks for `path`. `tcp`: only connects, and shakes hands where there is TLS.',
    PROBE_DEFAULTS.kind,
  ),
  path: setting(
    z.string('a path such as /healthz').regex(PROBE_PATH, 'a path such as /healthz'),
    'What is asked for.',
    PROBE_DEFAULTS.path,
  ),
  method: setting(
    z.string('a method such as GET').regex(PROBE_METHOD, 'a method such as GET'),
    'How it is asked for.',
    PROBE_DEFAULTS.method,
  ),
  host: offable(text, 'The `host` of the request. `null`: that of the endpoint.', PROBE_DEFAULTS.host),
  headers: setting(headers, 'Further headers of the request.'),
  intervalMs: setting(milliseconds, 'From one probe of an endpoint to the next.', PROBE_DEFAULTS.intervalMs),
  unhealthyIntervalMs: setting(
    milliseconds,
    'The same while it is unhealthy, not known yet, or about to change; never more than `intervalMs`.',
    PROBE_DEFAULTS.unhealthyIntervalMs,
  ),
  jitterRatio: setting(
    ratio,
    'Each interval is shorter by up to this share of it, at random.',
    PROBE_DEFAULTS.jitterRatio,
  ),
  timeoutMs: setting(
    milliseconds,
    'From connecting to the end of the answer. Over it the probe has failed.',
    PROBE_DEFAULTS.timeoutMs,
  ),
  healthyCount: setting(
    count,
    'Probes in a row that must pass before an unhealthy endpoint is healthy.',
    PROBE_DEFAULTS.healthyCount,
  ),
  unhealthyCount: setting(
    count,
    'Probes in a row that must fail before a healthy endpoint is unhealthy. The first probe of all decides at once.',
    PROBE_DEFAULTS.unhealthyCount,
  ),
  expectStatus: setting(
    z.array(status).min(1, 'at least one status'),
    `Statuses that pass. Default: \`[${PROBE_DEFAULTS.expectStatus.join(', ')}]\`.`,
  ),
  expectBody: offable(
    text,
    'What the first 64 KiB of the body must contain. `null`: anything.',
    PROBE_DEFAULTS.expectBody,
  ),
  degradedHeader: offable(
    fieldName,
    'A header by which an endpoint that passes says that others are to be preferred.',
    PROBE_DEFAULTS.degradedHeader,
  ),
  degradedLatencyMs: offable(
    milliseconds,
    'A probe that passes but takes so long tells the same.',
    PROBE_DEFAULTS.degradedLatencyMs,
  ),
  unknownTakesRequests: setting(
    z.boolean(),
    'Whether an endpoint takes requests before its first probe has ended. `false`: they wait.',
    PROBE_DEFAULTS.unknownTakesRequests,
  ),
} satisfies Record<keyof ProbeOptions, z.ZodType>;

/** By what an endpoint is known to be well. */
export const health = z.strictObject({
  active: setting(
    consistent(z.strictObject(options), probeSettings),
    'Asks endpoints how they are. Off when absent. See [policies/health.md](policies/health.md).',
  ),
  passive: setting(
    outlier,
    'Takes an endpoint out because of how it answers requests. Off when absent. See [policies/outliers.md](policies/outliers.md).',
  ),
});
