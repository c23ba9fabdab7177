#include "device/host/numa.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace railrunner {

namespace {

constexpr int kMaxNodes = 1024;
constexpr int kMemoryPolicyBind = 2;  // MPOL_BIND of linux/mempolicy.h

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

}  // namespace

std::vector<int> numaNodes() {
  std::vector<int> nodes = readList("/sys/devices/system/node/has_memory");
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
    for (const int cpu : readList("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist")) {
      if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &allowed)) continue;
      if (found != -1 && found != node) return -1;
      found = node;
    }
  }
  return found;
}

void bindToNumaNode(void* address, uint64_t bytes, int node) {
  if (node < 0 || node >= kMaxNodes || numaNodes().size() < 2) return;
  unsigned long mask[kMaxNodes / 64] = {};
  mask[node / 64] = 1UL << (node % 64);
  // The system call itself: libnuma would be one more library that a node may lack.
  syscall(SYS_mbind, address, bytes, kMemoryPolicyBind, mask, kMaxNodes, 0);
}

}  // namespace railrunner
