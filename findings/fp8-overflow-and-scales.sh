#!/usr/bin/env bash
# Casts to the 8-bit floats of MoE payloads and their block scales: one value, three libraries, three results.
#
#                                            torch 2.13.0 (CPU)   ml_dtypes 0.6.0 (NumPy)   JAX 0.10.2 (CPU)
#   1000 or inf to float8_e4m3fn             448                  NaN                       NaN
#   1e6 to float8_e5m2                       inf                  inf                       inf
#   0 to float8_e8m0fnu (a block scale)      2^-127               NaN                       NaN
#   -0.05 to float8_e8m0fnu                  0.0625               NaN                       NaN
#   2^-10 (1 + 1e-12), a float64, to e4m3fn  0                    0                         2^-9
#
# torch saturates e4m3fn, infinity included, and does not saturate e5m2; its float8_e8m0fnu drops the sign of a negative
# value. So a token that overflowed, or a scale that was computed wrong, is a usual number in torch and NaN in the other
# two: a check that compares bytes of two of them finds differences where none of them is at fault, and a check for NaN
# finds nothing in torch. The last line is a double rounding: torch and ml_dtypes go from float64 by way of float32,
# where the value is a tie; JAX rounds once. From float16 and float32 the three agree for every value tried that e4m3fn
# can hold, and for all in e5m2.
# Needs python3 (3.11 or later) with venv, and package indexes. Takes about two minutes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 ml_dtypes==0.6.0 jax==0.10.2 numpy==2.4.6

cat >casts.py <<'PYTHON'
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import torch

jax.config.update("jax_enable_x64", True)
np.seterr(all="ignore")


def by_torch(values, name):
    return torch.from_numpy(values.copy()).to(getattr(torch, name)).float().numpy()


def by_ml_dtypes(values, name):
    return values.astype(getattr(ml_dtypes, name)).astype(np.float32)


def by_jax(values, name):
    return np.asarray(jnp.asarray(values).astype(getattr(jnp, name)).astype(jnp.float32))


LIBRARIES = (by_torch, by_ml_dtypes, by_jax)


def show(label, values, name):
    results = [[float(value) for value in library(values, name)] for library in LIBRARIES]
    print(label, name, *results)


f32, f64 = np.float32, np.float64
show("1000 inf -inf nan:", np.array([1000, np.inf, -np.inf, np.nan], f32), "float8_e4m3fn")
show("1e6:", np.array([1e6], f32), "float8_e5m2")
show("0 -0.05:", np.array([0, -0.05], f32), "float8_e8m0fnu")
show("a little above 2^-10:", np.array([2.0**-10 * (1 + 1e-12)], f64), "float8_e4m3fn")

# All float16, and of float32 those whose lower half is 0 or 1.
upper = np.arange(65536, dtype=np.uint32) << 16
for source in (np.arange(65536, dtype=np.uint16).view(np.float16), upper.view(f32), (upper | 1).view(f32)):
    for name, limit in (("float8_e4m3fn", 464), ("float8_e5m2", np.inf)):
        values = source[np.abs(source) <= limit]
        first, *others = (library(values, name) for library in LIBRARIES)
        same = all(np.array_equal(first, other) for other in others)
        print(source.dtype, name, len(values), "values:", "equal" if same else "differ")
PYTHON
venv/bin/python casts.py 2>/dev/null | tee said
diff said - <<'SAID'
1000 inf -inf nan: float8_e4m3fn [448.0, 448.0, -448.0, nan] [nan, nan, nan, nan] [nan, nan, nan, nan]
1e6: float8_e5m2 [inf] [inf] [inf]
0 -0.05: float8_e8m0fnu [5.877471754111438e-39, 0.0625] [nan, nan] [nan, nan]
a little above 2^-10: float8_e4m3fn [0.0] [0.0] [0.001953125]
float16 float8_e4m3fn 48770 values: equal
float16 float8_e5m2 63490 values: equal
float32 float8_e4m3fn 34770 values: equal
float32 float8_e5m2 65282 values: equal
float32 float8_e4m3fn 34768 values: equal
float32 float8_e5m2 65280 values: equal
SAID
echo "as stated"
