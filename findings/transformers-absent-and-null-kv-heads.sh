#!/usr/bin/env bash
# transformers 5.18.0: leaving num_key_value_heads out of a config.json and writing it as null are two different
# models, and what each means changes from class to class.
#
# The KV cache of a model is num_key_value_heads wide, so a reader of config.json has to know what a missing value
# stands for. The usual reading, "as many as there are query heads", is right for the absent key and for null in a
# Llama only. For the same 8 query heads:
#
#   absent  is a constant of the class, not the number of query heads: 32 in Qwen2 and Qwen3, which have then four
#           times more KV heads than query heads, and 4 in SmolLM3, half of them. Nothing is raised or warned of.
#   null    means "as many as query heads" in Qwen2, Qwen3, SmolLM3 and Llama, is refused by the type check of Mistral,
#           Mixtral and gpt-oss, and stays None in Qwen2-MoE.
#
# A calculator that treats null and absent alike is wrong by a factor of up to four, in either direction.
# Needs python3 (3.10 or later) with venv, and a package index. Takes about a minute.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.18.0

cat >"$folder/expected" <<'TABLE'
transformers 5.18.0, 8 query heads
llama      absent 8    null 8
qwen2      absent 32   null 8
qwen3      absent 32   null 8
smollm3    absent 4    null 8
qwen2_moe  absent 16   null None
mistral    absent 8    null StrictDataclassFieldValidationError
mixtral    absent 8    null StrictDataclassFieldValidationError
gpt_oss    absent 8    null StrictDataclassFieldValidationError
TABLE

cat >"$folder/read.py" <<'PYTHON'
import json
import pathlib
import sys

import transformers

folder = pathlib.Path(sys.argv[1])


def kv_heads(model_type, **more):
    """What AutoConfig says of a model folder whose config.json holds only these keys."""
    keys = {"model_type": model_type, "num_attention_heads": 8, "hidden_size": 512, **more}
    (folder / "config.json").write_text(json.dumps(keys))
    try:
        return str(transformers.AutoConfig.from_pretrained(folder).num_key_value_heads)
    except Exception as error:
        return type(error).__name__


print(f"transformers {transformers.__version__}, 8 query heads")
for kind in ["llama", "qwen2", "qwen3", "smollm3", "qwen2_moe", "mistral", "mixtral", "gpt_oss"]:
    print(f"{kind:10} absent {kv_heads(kind):4} null {kv_heads(kind, num_key_value_heads=None)}")
PYTHON

mkdir "$folder/model"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/read.py" "$folder/model" 2>/dev/null | tee "$folder/seen"
diff "$folder/expected" "$folder/seen" || { echo 'the behaviour has changed' >&2; exit 1; }
echo 'as described'
