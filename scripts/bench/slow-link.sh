#!/usr/bin/env bash
# slow-link.sh MBIT_PER_S RANKS COMMAND...: the command on every rank, each rank behind a network cable of its own that
# carries MBIT_PER_S in each direction. Ranks share memory, processes and host name, so `ranksPerNode` says who is whose
# neighbour: what goes over the network meets the same slow cable whichever rank it goes to. MPI itself starts over
# inherited pipes and talks over shared memory (MPICH), so only measured traffic is on the cables.
#
# To be run as root under `unshare --mount --net --pid --fork --kill-child --mount-proc`: all of it ends with this script.
set -euo pipefail
rate=$1 ranks=$2
shift 2

# Ranks that share a core give way to each other with sched_yield(), which the kernel heeds among the threads of one
# scheduling group. mpirun.mpich starts every rank in a session of its own, and where sessions are such groups
# (sched_autogroup) a rank that polls keeps its core for whole time slices: points took 10 to 20 ms that take 0.1 to 4. All
# ranks in one control group are one group again. It stays behind, empty, for the next run.
share_processors() {
  [[ $(cat /proc/sys/kernel/sched_autogroup_enabled 2>/dev/null) == 1 ]] || return 0
  local root group
  for root in /sys/fs/cgroup/cpu /sys/fs/cgroup; do
    group=$root/railrunner-slow-link
    [[ -e $root/cgroup.procs ]] && mkdir -p "$group" || continue
    [[ -e $group/cpu.shares || -e $group/cpu.weight ]] || echo +cpu >"$root/cgroup.subtree_control" || continue
    echo $$ >"$group/cgroup.procs" && return
  done 2>/dev/null
  echo "slow-link: no control group for the processors: ranks that share a core wait for each other's time slices" >&2
}
share_processors

# Frames wait here and are not dropped: a cable loses nothing, and a drop would cost a retransmission time-out.
shape() { tc qdisc add dev "$1" root tbf rate "${rate}mbit" burst 128kb limit 256mb; }

ip link set lo up
ip link add br0 type bridge forward_delay 0
ip link set br0 up
own=$(readlink /proc/self/ns/net)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for ((rank = 0; rank < ranks; rank++)); do
  unshare --net sleep infinity &
  holder=$!
  # While it starts its name may be unreadable for a moment: that is no namespace of its own yet.
  until space=$(readlink "/proc/$holder/ns/net") && [[ $space && $space != "$own" ]]; do sleep 0.01; done
  echo $holder >"$folder/$rank"
  ip link add "cable$rank" type veth peer name eth0 netns $holder
  ip link set "cable$rank" master br0 up
  nsenter --target $holder --net ip addr add "10.215.0.$((rank + 1))/24" dev eth0
  nsenter --target $holder --net ip link set lo up
  nsenter --target $holder --net ip link set eth0 up
  shape "cable$rank"
  nsenter --target $holder --net tc qdisc add dev eth0 root tbf rate "${rate}mbit" burst 128kb limit 256mb
done

# /sys must show the rank's own devices: UCX looks for them there.
cat >"$folder/enter" <<'ENTER'
#!/usr/bin/env bash
exec nsenter --target "$(<"$(dirname "$0")/$PMI_RANK")" --net unshare --mount \
  bash -c 'mount -t sysfs sysfs /sys && exec "$@"' enter "$@"
ENTER
chmod +x "$folder/enter"
export UCX_NET_DEVICES=eth0
mpirun.mpich -n "$ranks" "$folder/enter" "$@"
