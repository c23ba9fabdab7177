#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace railrunner {

// NUMA nodes of this machine that have memory, in order; one entry where there is no NUMA. `root` is prepended to
// every path that is read, here and below.
std::vector<int> numaNodes(const std::string& root = "");

// The node that all CPUs this process may run on belong to; -1 where they span several or nothing is known.
int numaNodeOfProcess();

// Throws kAllocation, with the figures, where a node has less free memory than `bytes`, page cache counted as
// free. Nothing on a machine with one node: the host's memory is asked there.
void requireRoomOnNode(uint64_t bytes, int node, const std::string& what, const std::string& root = "");

enum class NumaPolicy {
  kPreferred,  // pages to come are taken from the node, and from others once it is full
  kBound,      // pages that lie elsewhere are moved to the node
};

// Sets a policy for whole pages (mbind); 0, or an errno. Bound memory that is touched on a full node ends the
// process (the kernel's constrained OOM killer), and ranks that allocate at once cannot see each other's pools.
// Moving pages later reclaims page cache of the node, and fails if that is not enough. So memory is first
// preferred, then touched, then bound. EIO: some pages could not be moved.
int setNumaPolicy(void* address, uint64_t bytes, int node, NumaPolicy policy);

// As above; throws kAllocation with what the kernel answered and the node's figures.
void placeOnNode(void* address, uint64_t bytes, int node, NumaPolicy policy, const std::string& what);

// False where the kernel lets this process place nothing (seccomp, containers without SYS_NICE).
bool canPlaceOnNode(int node);

}  // namespace railrunner
