import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ConfigDocument, readDocument } from './document.ts';
import { expectation, explainAll } from './explain.ts';
import type { Environment } from './interpolate.ts';
import { ConfigError, type Path, type Problem, pathText, problemReport } from './problem.ts';
import { checkReferences } from './references.ts';
import { type Config, type ConfigInput, configSchema, configTree } from './schema.ts';

/** A configuration that has passed every check. */
export interface LoadedConfig {
  readonly config: Config;
  /** The file, as messages call it. */
  readonly name: string;
  /** Relative paths in the configuration start here. */
  readonly folder: string;
  /** What is suspicious but works, as a report for people; empty when there is nothing. */
  readonly warnings: string;
}

const MODULES: ReadonlySet<string> = new Set(['.ts', '.mts', '.js', '.mjs']);

/**
 * Reads and checks a configuration file: YAML, JSON, or a module whose default export is one.
 * Throws `ConfigError` with everything that is wrong.
 */
export async function loadConfig(file: string, environment: Environment): Promise<LoadedConfig> {
  const path = resolve(file);
  const folder = dirname(path);
  if (MODULES.has(extname(path))) return checked(file, null, await moduleData(file, path), folder);
  const text = await readText(file, path);
  return checked(
    file,
    text,
    readDocument(text, environment, (at) => configTree().kindsAt(at)),
    folder,
  );
}

/** Checks a configuration made by a program. Throws `ConfigError`. */
export function checkConfig(name: string, data: ConfigInput, folder: string): LoadedConfig {
  return checked(name, null, { data, problems: [], placeOf: () => null }, folder);
}

/** Checks configuration text that is not in a file; `name` stands for the file in messages. */
export function parseConfig(name: string, text: string, environment: Environment, folder: string): LoadedConfig {
  return checked(
    name,
    text,
    readDocument(text, environment, (at) => configTree().kindsAt(at)),
    folder,
  );
}

function checked(name: string, text: string | null, document: ConfigDocument, folder: string): LoadedConfig {
  const problems = [...document.problems];
  const data = withoutSchemaLink(document.data);
  const known = new Set(problems.map(({ path }) => pathText(path)));
  const add = (severity: Problem['severity'], path: Path, message: string, part: 'key' | 'value'): void => {
    if (!known.has(pathText(path))) problems.push({ severity, path, message, place: document.placeOf(path, part) });
  };
  if (data === null && problems.length === 0)
    add('error', [], 'it is empty; expected at least listeners and routes', 'value');
  const result = configSchema.safeParse(data, { error: expectation });
  // A text that could not be read has no data to find further faults in.
  if (data !== null) {
    const explanations = result.success ? [] : explainAll(result.error, data, configTree());
    for (const { path, message, part } of explanations) add('error', path, message, part);
    for (const { severity, path, message } of checkReferences(data)) add(severity, path, message, 'value');
  }
  const failed = problems.some(({ severity }) => severity === 'error');
  if (!result.success || failed) throw new ConfigError(name, text, problems);
  return { config: result.data, name, folder, warnings: problemReport(name, text, problems) };
}

/** JSON files name their schema for editors in `$schema`. */
function withoutSchemaLink(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data) || !('$schema' in data)) return data;
  const { $schema, ...rest } = data;
  return typeof $schema === 'string' ? rest : data;
}

async function readText(file: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const message =
      error instanceof Error && 'code' in error && error.code === 'ENOENT'
        ? 'there is no such file (give the path of a configuration, or try `sluice demo`)'
        : `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConfigError(file, null, [{ severity: 'error', message, path: [], place: null }]);
  }
}

/** Runs a configuration module. A changed one is run again; modules it imports are not. */
async function moduleData(file: string, path: string): Promise<ConfigDocument> {
  const fail = (message: string): never => {
    throw new ConfigError(file, null, [{ severity: 'error', message, path: [], place: null }]);
  };
  const version = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => fail('there is no such file'),
  );
  const url = pathToFileURL(path);
  url.searchParams.set('version', String(version));
  const module: unknown = await import(url.href).catch((error: unknown) => fail(thrown(error)));
  const data: unknown = typeof module === 'object' && module !== null ? Reflect.get(module, 'default') : undefined;
  if (data === undefined) fail('expected `export default defineConfig({ … })`');
  return { data, problems: [], placeOf: () => null };
}

function thrown(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
