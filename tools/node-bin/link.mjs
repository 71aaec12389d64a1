// Puts Node 26 into node_modules/.bin where npm has not. Several packages offer it, one for each platform, and npm
// before version 11 removes the link of the right one together with those of the others. Runs on any Node.
import { existsSync, readFileSync, symlinkSync } from 'node:fs';

const modules = new URL('../../node_modules/', import.meta.url);
const link = new URL('.bin/node', modules);
const { optionalDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
const name = Object.keys(optionalDependencies).find((each) => existsSync(new URL(`${each}/bin/node`, modules)));

if (name !== undefined && !existsSync(link)) symlinkSync(`../${name}/bin/node`, link);
