#pragma once

#include <cstdint>
#include <string>

namespace railrunner {

// Throws kAllocation if memory of that size is not available, by the host's or the control group's limit or on the
// NUMA node. Asked before memory is mapped, because a kernel that overcommits kills a process for memory instead of
// refusing it. `what` names the use for messages; `numaNode` -1 leaves placement to the kernel.
void requireMemory(uint64_t bytes, int numaNode, const std::string& what);

// Gives a fresh mapping its pages, on the NUMA node where one is named: no measured copy pays for a first touch, and
// lack of memory shows here. `reserve` runs before the first page is touched (files reserve their pages in it).
template <class Reserve>
void givePages(void* mapping, uint64_t bytes, int numaNode, const std::string& what, Reserve&& reserve);

// Both halves of givePages: `before` sets the policy by which pages are taken, `after` touches and binds them.
void placePagesToCome(void* mapping, uint64_t bytes, int numaNode, const std::string& what);
void touchAndBindPages(void* mapping, uint64_t bytes, int numaNode, const std::string& what);

template <class Reserve>
void givePages(void* mapping, uint64_t bytes, int numaNode, const std::string& what, Reserve&& reserve) {
  placePagesToCome(mapping, bytes, numaNode, what);
  reserve();
  touchAndBindPages(mapping, bytes, numaNode, what);
}

}  // namespace railrunner
