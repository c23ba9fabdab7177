#!/usr/bin/env bash
# DuckDB 1.5.6 takes NaN for larger than every number. On a Parquet file written by pyarrow 25.0.1 a filter counts
# otherwise: rows with NaN are not found by x > 100, and are by x < 100. Of 400 rows (1, 2, 3 and NaN, 100 of each):
#
#                            x > 100   x < 100
#   table in DuckDB          100       300
#   file of DuckDB, polars   100       300
#   file of pyarrow          0         400
#
# pyarrow writes a minimum and maximum without regard to NaN, which Parquet asks for; DuckDB and polars leave them out
# where NaN occurs. DuckDB concludes from 1..3 that x > 100 holds for no row and x < 100 for every one, and does not look
# at the rows. So a failed measurement kept as NaN passes a threshold that it would not pass in the same table.
# polars 1.44.2, which orders NaN likewise, counts 100 and 300 in all three files. Write `and not isnan(x)`.
# Needs python3 (3.10 or later) with venv, and a package index. Takes about half a minute.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==1.44.2 pyarrow==25.0.1 duckdb==1.5.6

cat >count.py <<'PYTHON'
import duckdb
import polars
import pyarrow
import pyarrow.parquet

table = pyarrow.table({"x": [1.0, 2.0, 3.0, float("nan")] * 100})
duckdb.register("given", table)
duckdb.sql("create table kept as select * from given")
duckdb.sql("copy kept to 'duckdb.parquet'")
polars.from_arrow(table).write_parquet("polars.parquet")
pyarrow.parquet.write_table(table, "pyarrow.parquet")


def by_duckdb(source):
    return [duckdb.sql(f"select count(*) from {source} where {test}").fetchone()[0] for test in
            ("x > 100", "x < 100", "x < 100 and not isnan(x)")]


def by_polars(frame):
    x = polars.col("x")
    return [frame.filter(test).collect().height for test in (x > 100, x < 100, (x < 100) & x.is_not_nan())]


print("duckdb table", *by_duckdb("kept"))
print("polars table", *by_polars(polars.from_arrow(table).lazy()))
for writer in ("duckdb", "polars", "pyarrow"):
    file = f"{writer}.parquet"
    statistics = pyarrow.parquet.ParquetFile(file).metadata.row_group(0).column(0).statistics
    limits = f"{statistics.min} to {statistics.max}" if statistics and statistics.has_min_max else "none"
    print(f"file of {writer}, limits {limits}: duckdb", *by_duckdb(f"'{file}'"), "polars", *by_polars(polars.scan_parquet(file)))
PYTHON
cat >expected <<'TEXT'
duckdb table 100 300 300
polars table 100 300 300
file of duckdb, limits none: duckdb 100 300 300 polars 100 300 300
file of polars, limits none: duckdb 100 300 300 polars 100 300 300
file of pyarrow, limits 1.0 to 3.0: duckdb 0 400 300 polars 100 300 300
TEXT
venv/bin/python count.py | tee seen
diff expected seen || {
  echo 'the behaviour has changed' >&2
  exit 1
}
echo 'as described'
