#include "device/host/numa.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "core/error.h"

namespace railrunner {

namespace {

constexpr int kMaxNodes = 1024;
constexpr const char* kNodeFolder = "/sys/devices/system/node";
// Of linux/mempolicy.h: MPOL_PREFERRED, MPOL_BIND, MPOL_MF_MOVE, MPOL_MF_STRICT.
constexpr int kMemoryPolicyPreferred = 1;
constexpr int kMemoryPolicyBind = 2;
constexpr unsigned kAllOrError = 1U << 0;
constexpr unsigned kMovePages = 1U << 1;

// Reads the kernel's list format, for example "0-3,8,10-11".
std::vector<int> readList(const std::string& path) {
  std::vector<int> values;
  std::ifstream file(path);
  std::string part;
  while (std::getline(file, part, ',')) {
    const size_t dash = part.find('-');
    try {
      const int first = std::stoi(part);
      const int last = dash == std::string::npos ? first : std::stoi(part.substr(dash + 1));
      for (int value = first; value <= last && value < kMaxNodes * 64; ++value) values.push_back(value);
    } catch (const std::exception&) {
      return values;  // an empty or foreign file: what was read so far
    }
  }
  return values;
}

struct NodeMemory {
  uint64_t totalBytes = 0;  // 0: the node's file could not be read
  uint64_t freeBytes = 0;   // with the page cache of files, which is given back when memory is asked for
};

// "Node 0 MemFree:   1234 kB"
NodeMemory memoryOfNode(int node, const std::string& root) {
  std::ifstream file(root + kNodeFolder + "/node" + std::to_string(node) + "/meminfo");
  NodeMemory memory;
  std::string word, number, name;
  uint64_t kilobytes = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    if (!(words >> word >> number >> name >> kilobytes)) continue;
    if (name == "MemTotal:") memory.totalBytes = kilobytes * 1024;
    for (const char* counted : {"MemFree:", "Active(file):", "Inactive(file):", "SReclaimable:"}) {
      if (name == counted) memory.freeBytes += kilobytes * 1024;
    }
  }
  return memory;
}

std::string figuresOf(const NodeMemory& memory) {
  return std::to_string(memory.freeBytes) + " of " + std::to_string(memory.totalBytes) + " bytes free";
}

}  // namespace

std::vector<int> numaNodes(const std::string& root) {
  std::vector<int> nodes = readList(root + kNodeFolder + "/has_memory");
  if (nodes.empty()) nodes.push_back(0);
  return nodes;
}

int numaNodeOfProcess() {
  const std::vector<int> nodes = numaNodes();
  if (nodes.size() == 1) return nodes.front();
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return -1;
  int found = -1;
  for (const int node : nodes) {
    for (const int cpu : readList(std::string(kNodeFolder) + "/node" + std::to_string(node) + "/cpulist")) {
      if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &allowed)) continue;
      if (found != -1 && found != node) return -1;
      found = node;
    }
  }
  return found;
}

void requireRoomOnNode(uint64_t bytes, int node, const std::string& what, const std::string& root) {
  if (node < 0 || numaNodes(root).size() < 2) return;
  const NodeMemory memory = memoryOfNode(node, root);
  if (memory.totalBytes == 0 || bytes <= memory.freeBytes) return;
  throw Error(ErrorCode::kAllocation, what + ": " + std::to_string(bytes) +
                                          " bytes were asked for, NUMA node " + std::to_string(node) +
                                          " has " + figuresOf(memory) +
                                          ". Use smaller pools, or bind ranks to more nodes.");
}

int setNumaPolicy(void* address, uint64_t bytes, int node, NumaPolicy policy) {
  if (node < 0 || node >= kMaxNodes) return EINVAL;
  unsigned long mask[kMaxNodes / 64 + 1] = {};
  mask[node / 64] = 1UL << (node % 64);
  const bool isBound = policy == NumaPolicy::kBound;
  // The system call itself: libnuma would be one more library that a node may lack. The kernel takes one bit less
  // than it is told.
  const long result = syscall(SYS_mbind, address, bytes, isBound ? kMemoryPolicyBind : kMemoryPolicyPreferred,
                              mask, kMaxNodes + 1, isBound ? kMovePages | kAllOrError : 0U);
  return result == 0 ? 0 : errno;
}

void placeOnNode(void* address, uint64_t bytes, int node, NumaPolicy policy, const std::string& what) {
  const int refusal = setNumaPolicy(address, bytes, node, policy);
  if (refusal == 0) return;
  throw errnoError(ErrorCode::kAllocation,
                   what + ": placing " + std::to_string(bytes) + " bytes on NUMA node " +
                       std::to_string(node) + ", which has " + figuresOf(memoryOfNode(node, "")) +
                       ". Use smaller pools, or bind ranks to more nodes",
                   refusal);
}

bool canPlaceOnNode(int node) {
  if (numaNodes().size() < 2) return true;  // all memory is the node's
  const auto bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  void* page = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  const bool can = setNumaPolicy(page, bytes, node, NumaPolicy::kPreferred) == 0;
  munmap(page, bytes);
  return can;
}

}  // namespace railrunner
