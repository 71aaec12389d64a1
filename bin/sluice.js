#!/usr/bin/env node
// Old syntax on purpose: an old Node has to get as far as the sentence below.
var version = process.versions.node;
var parts = version.split('.').map(Number);

if (parts[0] > 26 || (parts[0] === 26 && parts[1] >= 4)) {
  void import('../dist/cli.js');
} else {
  process.stderr.write(`sluice needs Node.js 26.4 or newer; this is ${version} (${process.execPath})\n`);
  process.exitCode = 2;
}
