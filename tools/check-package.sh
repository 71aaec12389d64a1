#!/usr/bin/env bash
# Packs the package as it would be published, installs it in an empty folder and uses it there: the command, the
# library and its types.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$root/node_modules/.bin:$PATH"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$root"
npm pack --silent --pack-destination "$folder"
tarball=$(ls "$folder"/*.tgz)
publint run --strict "$tarball"

mkdir "$folder/consumer"
cd "$folder/consumer"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --prefer-offline --no-audit --no-fund --engine-strict=false "$tarball"

version=$(node -p "require('$root/package.json').version")
printed=$(./node_modules/.bin/sluice --version)
[ "$printed" = "$version" ] || { echo "sluice --version printed '$printed', not '$version'" >&2; exit 1; }

cat >hello.ts <<'PROGRAM'
import { reply, serve } from 'sluice';

const server = await serve({ listeners: [{ bind: '127.0.0.1:0' }], handler: () => reply.text('hello') });
const address = server.listeners[0]?.address;
if (address === undefined || !('port' in address)) throw new Error('the listener has no port');
const text = await (await fetch(`http://127.0.0.1:${address.port}/`)).text();
if (text !== 'hello') throw new Error(`the answer was ${text}`);
await server.drain();
PROGRAM
node hello.ts
tsc --noEmit --strict --target esnext --module nodenext --types node --typeRoots "$root/node_modules/@types" hello.ts

echo "the package installs, runs, answers and has its types ($(basename "$tarball"))"
