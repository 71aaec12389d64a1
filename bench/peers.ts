import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  caddyConfiguration,
  haproxyConfiguration,
  type Job,
  nginxConfiguration,
  originConfiguration,
  sluiceConfiguration,
  write,
} from './configurations.ts';
import type { Site } from './sites.ts';

/** A server that takes part. */
export interface Peer {
  readonly name: string;
  /** What it can answer. */
  readonly sites: readonly Site[];
  /** `null` when it is not installed. */
  readonly version: () => string | null;
  /** How to start it for a job. */
  readonly command: (job: Job) => readonly string[];
}

const ROOT = resolve(import.meta.dirname, '..');

/** Prepares a program of bench/peers; it takes the port, the site and the origin's port. */
const program = (name: string) => (job: Job) => [
  process.execPath,
  join(import.meta.dirname, 'peers', `${name}.ts`),
  ...[job.port, job.site, job.originPort].map(String),
];

/** The first number with dots that a command prints. */
const printed =
  (command: string, ...args: string[]) =>
  () => {
    const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    return /\d+\.\d+(?:\.\d+)*/.exec(`${stdout}${stderr}`)?.[0] ?? null;
  };

const packaged = (folder: string) => () => {
  try {
    return String(JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')).version);
  } catch {
    return null;
  }
};

const sluice = (accessLog: boolean) => (job: Job) => [
  process.execPath,
  join(ROOT, 'src/cli.ts'),
  'run',
  write(job, 'sluice.yaml', sluiceConfiguration(job, accessLog)),
];

const nginx = (configuration: string, job: Job) => [
  'nginx',
  '-p',
  job.folder,
  '-c',
  write(job, 'nginx.conf', configuration),
];

/** Everybody. Ratios are to the first one of a scenario. */
export const PEERS: readonly Peer[] = [
  { name: 'sluice', sites: ['hello', 'large', 'proxy'], version: packaged('.'), command: sluice(false) },
  { name: 'sluice-access-log', sites: [], version: packaged('.'), command: sluice(true) },
  {
    name: 'sluice-library',
    sites: ['hello', 'large', 'routes', 'echo', 'proxy'],
    version: packaged('.'),
    command: program('sluice-library'),
  },
  {
    name: 'nginx',
    sites: ['hello', 'large', 'proxy'],
    version: printed('nginx', '-v'),
    command: (job) => nginx(nginxConfiguration(job, false), job),
  },
  {
    name: 'nginx-access-log',
    sites: [],
    version: printed('nginx', '-v'),
    command: (job) => nginx(nginxConfiguration(job, true), job),
  },
  {
    name: 'haproxy',
    sites: ['hello', 'large', 'proxy'],
    version: printed('haproxy', '-v'),
    command: (job) => ['haproxy', '-db', '-f', write(job, 'haproxy.cfg', haproxyConfiguration(job))],
  },
  {
    name: 'caddy',
    sites: ['hello', 'large', 'proxy'],
    version: printed('caddy', 'version'),
    command: (job) => [
      'env',
      `XDG_CONFIG_HOME=${job.folder}`,
      `XDG_DATA_HOME=${job.folder}`,
      ...['caddy', 'run', '--adapter', 'caddyfile', '--config', write(job, 'Caddyfile', caddyConfiguration(job))],
    ],
  },
  {
    name: 'node-http',
    sites: ['hello', 'large', 'routes', 'echo'],
    version: () => process.versions.node,
    command: program('node-http'),
  },
  {
    name: 'fastify',
    sites: ['hello', 'large', 'routes', 'echo'],
    version: packaged('node_modules/fastify'),
    command: program('fastify'),
  },
  {
    name: 'http-proxy-3',
    sites: ['proxy'],
    version: packaged('node_modules/http-proxy-3'),
    command: program('http-proxy-3'),
  },
];

/** How to start the server behind the proxies. */
export const originCommand = (job: Job): readonly string[] => nginx(originConfiguration(job), job);
