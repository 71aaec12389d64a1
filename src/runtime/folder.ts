import { resolve } from 'node:path';

/** An address whose unix path, if it is one, was relative to the folder of the configuration file. */
export function absolute(address: string, folder: string): string {
  return address.startsWith('unix:') ? `unix:${resolve(folder, address.slice('unix:'.length))}` : address;
}
