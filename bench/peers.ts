import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { caddyConfiguration } from './configurations/caddy.ts';
import { haproxyConfiguration } from './configurations/haproxy.ts';
import { nginxConfiguration, originConfiguration } from './configurations/nginx.ts';
import { type SluiceVariant, sluiceConfiguration } from './configurations/sluice.ts';
import { type Job, write } from './job.ts';
import type { Site } from './sites.ts';
import type { Wire } from './wire.ts';

/** A server that takes part. */
export interface Peer {
  readonly name: string;
  /** What it can answer. */
  readonly sites: readonly Site[];
  /** How it can be spoken to. */
  readonly wires: readonly Wire[];
  /** How it can speak to the server behind it, as a `proxy`. */
  readonly originWires: readonly Wire[];
  /** `null` when it is not installed. */
  readonly version: () => string | null;
  /** How to start it for a job. */
  readonly command: (job: Job) => readonly string[];
}

const ROOT = resolve(import.meta.dirname, '..');

const ALL_WIRES: readonly Wire[] = ['http', 'https', 'h2', 'h2c'];

/** Prepares a program of bench/peers. */
const program = (name: string) => (job: Job) => [
  process.execPath,
  join(import.meta.dirname, 'peers', `${name}.ts`),
  JSON.stringify(job),
];

/** The first number with dots that a command prints. */
const printed =
  (command: string, ...args: string[]) =>
  () => {
    const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    return /\d+\.\d+(?:\.\d+)*/.exec(`${stdout}${stderr}`)?.[0] ?? null;
  };

const node = (): string => process.versions.node;

const packaged = (folder: string) => () => {
  try {
    return String(JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')).version);
  } catch {
    return null;
  }
};

const sluice = (variant: SluiceVariant) => (job: Job) => [
  process.execPath,
  join(ROOT, 'src/cli.ts'),
  'run',
  write(job, 'sluice.yaml', sluiceConfiguration(job, variant)),
];

const nginx = (configuration: string, job: Job) => [
  'nginx',
  '-p',
  job.folder,
  '-c',
  write(job, 'nginx.conf', configuration),
];

const proxies = { sites: ['hello', 'large', 'proxy'], wires: ALL_WIRES } as const;
const library = { sites: ['hello', 'large', 'routes', 'echo'], originWires: [] } as const;
const logging = { sites: [], wires: [], originWires: [] } as const;

/** Everybody. Ratios are to the first one of a scenario. */
export const PEERS: readonly Peer[] = [
  { name: 'sluice', ...proxies, originWires: ['http', 'h2c'], version: packaged('.'), command: sluice({}) },
  { name: 'sluice-access-log', ...logging, version: packaged('.'), command: sluice({ accessLog: true }) },
  { name: 'sluice-policies', ...logging, version: packaged('.'), command: sluice({ policies: true }) },
  ...[10, 100, 1000].map(
    (endpointCount): Peer => ({
      name: `sluice-${endpointCount}-endpoints`,
      ...logging,
      version: packaged('.'),
      command: sluice({ endpointCount }),
    }),
  ),
  {
    name: 'sluice-library',
    sites: [...library.sites, 'proxy'],
    wires: ALL_WIRES,
    originWires: ['http', 'h2c'],
    version: packaged('.'),
    command: program('sluice-library'),
  },
  {
    name: 'nginx',
    ...proxies,
    originWires: ['http'],
    version: printed('nginx', '-v'),
    command: (job) => nginx(nginxConfiguration(job, {}), job),
  },
  {
    name: 'nginx-1000-endpoints',
    ...logging,
    version: printed('nginx', '-v'),
    command: (job) => nginx(nginxConfiguration(job, { endpointCount: 1000 }), job),
  },
  {
    name: 'nginx-access-log',
    ...logging,
    version: printed('nginx', '-v'),
    command: (job) => nginx(nginxConfiguration(job, { accessLog: true }), job),
  },
  {
    name: 'haproxy',
    ...proxies,
    originWires: ['http', 'h2c'],
    version: printed('haproxy', '-v'),
    command: (job) => ['haproxy', '-db', '-f', write(job, 'haproxy.cfg', haproxyConfiguration(job))],
  },
  {
    name: 'caddy',
    ...proxies,
    originWires: ['http', 'h2c'],
    version: printed('caddy', 'version'),
    command: (job) => [
      'env',
      `XDG_CONFIG_HOME=${job.folder}`,
      `XDG_DATA_HOME=${job.folder}`,
      ...['caddy', 'run', '--adapter', 'caddyfile', '--config', write(job, 'Caddyfile', caddyConfiguration(job))],
    ],
  },
  { name: 'node-http', ...library, wires: ['http'], version: node, command: program('node-http') },
  { name: 'node-https', ...library, wires: ['https'], version: node, command: program('node-http') },
  {
    name: 'node-http2',
    sites: ['hello', 'large', 'echo'],
    wires: ['h2', 'h2c'],
    originWires: [],
    version: node,
    command: program('node-http2'),
  },
  {
    name: 'node-tls',
    sites: ['hello'],
    wires: ['https'],
    originWires: [],
    version: node,
    command: program('node-tls'),
  },
  {
    name: 'fastify',
    ...library,
    wires: ['http'],
    version: packaged('node_modules/fastify'),
    command: program('fastify'),
  },
  {
    name: 'http-proxy-3',
    sites: ['proxy'],
    wires: ['http'],
    originWires: ['http'],
    version: packaged('node_modules/http-proxy-3'),
    command: program('http-proxy-3'),
  },
];

/** How to start the server behind the proxies. */
export const originCommand = (job: Job): readonly string[] => nginx(originConfiguration(job), job);
