import { z } from 'zod';
import { LOG_DEFAULTS, LOG_FORMATS, LOG_LEVELS } from '../ops/log.ts';
import { DRAIN_DEFAULTS } from '../server/options.ts';
import { admin } from './schema/admin.ts';
import { listener } from './schema/listener.ts';
import { route } from './schema/route.ts';
import { SchemaTree } from './schema/tree.ts';
import { millisecondsOrNone, offable, required, setting } from './schema/unit.ts';
import { upstream } from './schema/upstream.ts';

const drain = z.strictObject({
  noticeMs: setting(
    millisecondsOrNone,
    'Before anything else: how long requests are still taken while `/readyz` of `admin` is 503, for balancers to turn away.',
    DRAIN_DEFAULTS.noticeMs,
  ),
  quietMs: setting(
    millisecondsOrNone,
    'How long an idle connection may still send a request, which is answered, before it is closed.',
    DRAIN_DEFAULTS.quietMs,
  ),
  graceMs: setting(millisecondsOrNone, 'After the notice: when what still runs is cut off.', DRAIN_DEFAULTS.graceMs),
  streamGraceMs: offable(
    millisecondsOrNone,
    'The same for streams: WebSockets and other tunnels, server-sent events. `null`: as `graceMs`.',
    DRAIN_DEFAULTS.streamGraceMs,
  ),
});

const logs = z.strictObject({
  level: setting(z.enum(LOG_LEVELS), 'The least important lines that are written.', LOG_DEFAULTS.level),
  format: setting(
    z.enum(LOG_FORMATS),
    'NDJSON, text for people, or text on a terminal and NDJSON elsewhere.',
    LOG_DEFAULTS.format,
  ),
  access: setting(z.boolean(), 'One line for each request.', false),
});

/** The whole configuration. Unknown keys are errors. */
export const configSchema = z.strictObject({
  listeners: required(z.array(listener).min(1), 'Where requests come in.'),
  routes: required(z.array(route).min(1), 'What is done with them; the first that matches wins.'),
  upstreams: setting(z.array(upstream), 'Servers that routes pass requests on to.'),
  drain: setting(drain, 'How the program stops.'),
  logs: setting(logs, 'What is written to standard output.'),
  admin: setting(admin, 'Where operators ask: `/metrics`, `/status`, `/healthz`, `/readyz`. Default: nowhere.'),
});

/** A configuration that has been checked. */
export type Config = z.output<typeof configSchema>;
/** A configuration as it is written. */
export type ConfigInput = z.input<typeof configSchema>;

let tree: SchemaTree | null = null;

/** The schema by path; made when first asked for. */
export function configTree(): SchemaTree {
  tree ??= new SchemaTree(configSchema);
  return tree;
}

/** The JSON Schema of the configuration, as it is published. */
export function configJsonSchema(): string {
  const { $schema, ...rest } = configTree().root;
  return `${JSON.stringify({ $schema, title: 'Sluice configuration', ...rest }, null, 2)}\n`;
}
