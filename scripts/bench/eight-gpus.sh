#!/usr/bin/env bash
# Everything that is to be seen on one host with eight GPUs, from an unpacked bundle:
#
#   scripts/bench/eight-gpus.sh BUNDLE OUT [RANKS]
#
# RANKS (8) GPUs as one node and as two emulated nodes. Keeps the run folders and one summary per run in OUT, strikes a
# rank of an exchange twice (SIGKILL, SIGSTOP), and prints one line per step; exit status 1 where a step went wrong.
# Each step is bounded; the whole takes some five minutes on eight H100.
set -u
bundle=$(readlink -f "$1") out=$2 ranks=${3:-8}
half=$((ranks / 2)) failed=0
mkdir -p "$out"
out=$(readlink -f "$out")
export NCCL_NVLS_ENABLE=0
configs=$bundle/configs
node=$bundle/runtime/node

runner() { "$node" "$bundle/bin/railrunner" "$@"; }

# step NAME SECONDS SPEC [words of run]: a launch that must end with 0, all rows right.
step() {
  local name=$1 seconds=$2 spec=$3
  shift 3
  local begun=$SECONDS
  runner_bounded "$seconds" launch -n "$ranks" "$spec" --device cuda --out "$out" --run-id "$name" "$@" >"$out/$name.txt" 2>&1
  local status=$?
  local verdict=ok
  [ $status -eq 0 ] || verdict="exit $status: $(tail -n 1 "$out/$name.txt")" failed=1
  [ -f "$out/$name/summary.csv" ] && cp "$out/$name/summary.csv" "$out/$name.csv"
  echo "$name: $verdict ($((SECONDS - begun)) s, $(grep -c '' "$out/$name.csv" 2>/dev/null || echo 0) lines)"
}
runner_bounded() { local seconds=$1; shift; timeout -k 10 "$seconds" "$node" "$bundle/bin/railrunner" "$@"; }

# strike NAME SIGNAL: the last rank gets it in the middle of a long exchange; every other rank's rows must name it.
strike() {
  local name=$1 signal=$2 last=$((ranks - 1)) begun=$SECONDS
  local log="$out/$name/rank-$(printf %04d "$last").log"
  runner_bounded 120 launch -n "$ranks" "$out/strike.json" --device cuda --out "$out" --run-id "$name" >"$out/$name.txt" 2>&1 &
  local launch=$!
  for _ in $(seq 300); do
    grep -q '^' "$out/$name/rank-0000.csv" 2>/dev/null && [ "$(grep -c ,short, "$out/$name/rank-0000.csv")" -gt 0 ] && break
    sleep 0.2
  done
  sleep 3
  local pid
  pid=$(head -n 1 "$log" | grep -o '"pid":[0-9]*' | grep -o '[0-9]*')
  kill -s "$signal" "$pid"
  wait "$launch"
  local status=$?
  kill -s KILL "$pid" 2>/dev/null
  local named=0
  for rank in $(seq 0 $((last - 1))); do
    grep -q "rank $last" "$out/$name/rank-$(printf %04d "$rank").csv" && named=$((named + 1))
  done
  local verdict=ok
  [ "$named" -eq "$last" ] && [ $status -ne 0 ] || verdict="not as it should be" failed=1
  echo "$name: $verdict (exit $status, named by $named of $last ranks, $((SECONDS - begun)) s)"
}

cat >"$out/strike.json" <<'SPEC'
{ "defaults": { "warmup": 1, "iterations": 4, "timeoutSeconds": 60 },
  "jobs": [
    { "id": "short", "kind": "dispatchCombine", "hidden": 2048, "numTopk": 8, "numExperts": 64, "numTokens": 64, "maxDispatchTokensPerRank": 64 },
    { "id": "long", "kind": "dispatchCombine", "hidden": 2048, "numTopk": 8, "numExperts": 64, "numTokens": 64, "maxDispatchTokensPerRank": 64, "iterations": 1000000 } ] }
SPEC

runner doctor --world-size "$ranks" >"$out/doctor.txt" 2>&1
step all-kinds 120 "$configs/all-kinds.json"
step quickstart 150 "$configs/quickstart.json"
step models 180 "$configs/moe/models.json" --set jobs.*.iterations=50
step nodes 180 "$configs/bench/moe-cuda-nodes.json" --ranks-per-node "$half"
step replicated 180 "$configs/bench/replicated.json" --only device-256m,host-1g --set jobs.*.iterations=10
step copies 120 "$configs/bench/cuda-kv-4.json" --set jobs.*.iterations=5
strike killed KILL
strike frozen STOP
step after-strikes 60 "$configs/all-kinds.json"
exit $failed
