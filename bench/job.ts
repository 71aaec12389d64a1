import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Site } from './sites.ts';
import type { Wire } from './wire.ts';

/** Where a server can be reached on this machine. */
export interface Address {
  readonly wire: Wire;
  readonly port: number;
}

/** One server to be set up. The programs in peers/ have it as JSON, for their one argument. */
export interface Job extends Address {
  readonly site: Site;
  /** Where a `proxy` sends its requests; port 0 for the others. */
  readonly origin: Address;
  /** For configuration and files. */
  readonly folder: string;
  /** PEM files, for a wire with TLS. */
  readonly certificate: CertificateFiles;
}

/** The same certificate (P-256) for everybody. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  /** Both in one file. */
  readonly bundle: string;
}

/** Requests that can be in flight at once in any scenario. A proxy may keep as many connections to its origin. */
export const IN_FLIGHT_MAX_COUNT = 512;

/** Writes a file into the job's folder and returns its path. */
export function write({ folder }: Pick<Job, 'folder'>, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
