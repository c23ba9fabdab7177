#!/usr/bin/env bash
# Process 1 of a pretend host: init.sh NAME SHM_SIZE ETC_HOSTS READY_FILE. It has its own mounts, network, IPC and
# process ids already; it makes them look like a host's, says so, and then reaps orphans until it is killed.
set -eu
hostname "$1"
mount -t tmpfs -o "size=$2,mode=1777" shm /dev/shm
mount --bind "$3" /etc/hosts
mount -t sysfs sysfs /sys # /sys/class/net must be this host's own: UCX looks for its devices there
ip link set lo up
: >"$4"
while :; do
  sleep 3600 &
  wait $! || true
done
