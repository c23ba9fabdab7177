#pragma once

#include <cstdint>
#include <vector>

namespace railrunner {

// NUMA nodes of this machine that have memory, in order; one entry where there is no NUMA.
std::vector<int> numaNodes();

// The node that all CPUs this process may run on belong to; -1 where they span several or nothing is known.
int numaNodeOfProcess();

// Binds pages of a mapping that are not there yet to a node. On one node, or where the kernel refuses
// (containers without the right to), nothing happens: placement is a matter of speed, never of correctness.
void bindToNumaNode(void* address, uint64_t bytes, int node);

}  // namespace railrunner
