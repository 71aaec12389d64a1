import type { ConfigInput } from './schema.ts';

/** The configuration of the program from a module: `export default defineConfig({ … })`. Gives types, changes nothing. */
export const defineConfig = (config: ConfigInput): ConfigInput => config;
