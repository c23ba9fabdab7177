#!/usr/bin/env bash
# Block hashes of prefix caches are unsigned 64-bit integers, and half of them are 2^63 or more. Two table readers give
# such ids back as doubles, without a word: pyarrow 25.0.1 from JSON and from CSV, DuckDB 1.5.6 from CSV (from JSON it
# takes HUGEINT, which is exact). A double has 53 bits, so that 1000 consecutive ids become one, and a cache simulated on
# the table hits where the trace has no reuse. pandas 3.0.6 is exact, but not with engine="pyarrow".
#
# polars 1.44.2 is exact where the first rows are large (Int128). Where small ids come first and the first of 2^63 comes
# in the same file, it raises: the type was chosen from the rows before.
#
# Ask for the type (pyarrow explicit_schema or column_types, DuckDB columns = {...}), or write ids as text.
# Needs python3 (3.10 or later) with venv, and a package index. Takes about a minute.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==1.44.2 pandas==3.0.6 pyarrow==25.0.1 duckdb==1.5.6

cat >read.py <<'PYTHON'
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.csv
import pyarrow.json

COUNT = 1000
files = {"below 2^63": 2**63 - COUNT, "from 2^63 on": 2**63, "across 2^63": 2**63 - COUNT // 2}


def duckdb_column(source):
    relation = duckdb.sql(f"select ids from {source}")
    return [row[0] for row in relation.fetchall()], relation.types[0]


def polars_column(table):
    return table["ids"].to_list(), table["ids"].dtype


def pandas_column(table):
    return list(table["ids"]), table["ids"].dtype


def pyarrow_column(table):
    return table["ids"].to_pylist(), table["ids"].type


json_readers = {
    "pandas read_json": lambda path: pandas_column(pandas.read_json(path, lines=True)),
    "pandas engine=pyarrow": lambda path: pandas_column(pandas.read_json(path, lines=True, engine="pyarrow")),
    "polars read_ndjson": lambda path: polars_column(polars.read_ndjson(path)),
    "pyarrow read_json": lambda path: pyarrow_column(pyarrow.json.read_json(path)),
    "duckdb read_json": lambda path: duckdb_column(f"read_json('{path}')"),
}
csv_readers = {
    "pandas read_csv": lambda path: pandas_column(pandas.read_csv(path)),
    "polars read_csv": lambda path: polars_column(polars.read_csv(path)),
    "pyarrow read_csv": lambda path: pyarrow_column(pyarrow.csv.read_csv(path)),
    "duckdb read_csv": lambda path: duckdb_column(f"read_csv('{path}')"),
}
schema = pyarrow.schema([("row", pyarrow.int64()), ("ids", pyarrow.uint64())])
json_readers["pyarrow, explicit_schema"] = lambda path: pyarrow_column(
    pyarrow.json.read_json(path, parse_options=pyarrow.json.ParseOptions(explicit_schema=schema))
)


def seen(read, path):
    try:
        ids, kind = read(path)
    except Exception as error:
        return type(error).__name__
    return f"{len(set(ids))} {kind}"


print(f"distinct of {COUNT} ids".ljust(26), *(f"{name:16}" for name in files))
for suffix, readers in [("jsonl", json_readers), ("csv", csv_readers)]:
    for name, first in files.items():
        with open(f"{name}.{suffix}", "w") as file:
            if suffix == "csv":
                file.write("row,ids\n")
            for row in range(COUNT):
                file.write(f"{row},{first + row}\n" if suffix == "csv" else f'{{"row": {row}, "ids": {first + row}}}\n')
    for name, read in readers.items():
        print(f"{name:26}", *(f"{seen(read, f'{file}.{suffix}'):16}" for file in files))
PYTHON

cat >expected <<'TABLE'
distinct of 1000 ids       below 2^63       from 2^63 on     across 2^63
pandas read_json           1000 int64       1000 uint64      1000 uint64
pandas engine=pyarrow      1000 int64       1 float64        1 float64
polars read_ndjson         1000 Int64       1000 Int128      ComputeError
pyarrow read_json          1000 int64       1 double         1 double
duckdb read_json           1000 BIGINT      1000 HUGEINT     1000 HUGEINT
pyarrow, explicit_schema   1000 uint64      1000 uint64      1000 uint64
pandas read_csv            1000 int64       1000 uint64      1000 uint64
polars read_csv            1000 Int64       1000 Int128      ComputeError
pyarrow read_csv           1000 int64       1 double         1 double
duckdb read_csv            1000 BIGINT      1 DOUBLE         1 DOUBLE
TABLE
venv/bin/python read.py 2>/dev/null | sed 's/ *$//' | tee seen
diff expected seen || {
  echo 'the behaviour has changed' >&2
  exit 1
}
echo 'as described'
