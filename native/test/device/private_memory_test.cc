// links: core/error.cc device/host/memory_limit.cc device/host/numa.cc device/host/host_pages.cc core/threads.cc device/host/private_memory.cc
// Memory that no peer maps: huge pages where the kernel gives them, all of it there at once, and never shared.
#include "device/host/private_memory.h"

#include <fstream>
#include <string>

#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint64_t kMiB = 1 << 20;

bool kernelGivesHugePages() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string line;
  return std::getline(file, line) && line.find("[never]") == std::string::npos;
}

// Bytes of a kind ("AnonHugePages", "Rss") in the mapping that holds `address`, as the kernel counts them.
uint64_t countedBytes(const void* address, const std::string& kind) {
  std::ifstream file("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uint64_t>(address);
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &begin, &end) == 2) inside = begin <= wanted && wanted < end;
    if (inside && line.rfind(kind + ":", 0) == 0) return std::stoull(line.substr(kind.size() + 1)) * 1024;
  }
  return 0;
}

}  // namespace

TEST("starts at 2 MiB, is zero, and is all there before its first use") {
  const auto memory = PrivateMemory::create(9 * kMiB + 5, -1, "test memory");
  expectEqual(reinterpret_cast<uint64_t>(memory->data()) % (2 * kMiB), 0U, "start");
  expectEqual(memory->bytes(), 9 * kMiB + 5, "bytes");
  ok(countedBytes(memory->data(), "Rss") >= 9 * kMiB, "resident");
  const auto* bytes = static_cast<const unsigned char*>(memory->data());
  for (uint64_t at = 0; at < memory->bytes(); at += 511) expectEqual(bytes[at], 0, "a fresh byte");
}

TEST("is all there where several threads touch it") {
  const auto memory = PrivateMemory::create(101 * kMiB + 4097, -1, "test memory");
  ok(countedBytes(memory->data(), "Rss") >= 101 * kMiB + 4097, "resident");
}

TEST("lies in huge pages") {
  if (!kernelGivesHugePages()) {
    std::printf("# SKIP needs transparent_hugepage other than never\n");
    return;
  }
  const auto memory = PrivateMemory::create(64 * kMiB, -1, "test memory");
  ok(countedBytes(memory->data(), "AnonHugePages") >= 32 * kMiB, "most of it in pages of 2 MiB");
}

TEST("is never shared, and refuses sizes that no machine has") {
  const auto memory = PrivateMemory::create(kMiB, -1, "test memory");
  throws(ErrorCode::kState, "allocate it for sharing", [&] { memory->share(0, 1); });
  throws(ErrorCode::kArgument, "0 bytes", [] { PrivateMemory::create(0, -1, "test memory"); });
  throws(ErrorCode::kAllocation,
         "test memory: ", [] { PrivateMemory::create(1ULL << 60, -1, "test memory"); });
  memory->close();
  memory->close();
  ok(memory->data() == nullptr, "closed twice, and gone");
}

int main() { return runAll(); }
