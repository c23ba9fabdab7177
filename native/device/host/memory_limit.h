#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace railrunner {

// Memory that this process could still take, and what ends it.
struct MemoryRoom {
  uint64_t bytes = UINT64_MAX;
  std::string limit;  // "MemAvailable", or the file of a control group
};

// The least of MemAvailable and of what each memory control group leaves, the process's own and all above it:
// cgroup v2 and v1, by /proc/self/cgroup and /proc/self/mountinfo (a limit is often set on a job's or a
// container's group, not at the process's own). A group leaves its limit less what it uses; page cache of files
// counts as free, since the kernel takes it back before it kills: active_file and inactive_file of memory.stat
// (total_ of both in v1), and slab_reclaimable of v2. Pages of memfds and tmpfs are not among those.
// `root` is prepended to every path that is read.
MemoryRoom availableMemory(const std::string& root = "");

// The folders of the process's memory control groups, the own first and then upwards. Empty where there are none.
std::vector<std::string> memoryGroups(const std::string& root = "");

}  // namespace railrunner
