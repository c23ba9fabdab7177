// links: core/error.cc device/host/memory_limit.cc device/host/numa.cc
// What memory is there, by trees of files as kernels show them: cgroup v1 and v2, limits at parents, page cache,
// NUMA nodes. And, as root where a v1 memory hierarchy is mounted, by a real group.
#include "device/host/memory_limit.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "device/host/numa.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint64_t kMiB = 1 << 20;

// A folder with files of its own, gone with it.
struct Tree {
  Tree() {
    char name[] = "/tmp/railrunner-limits-XXXXXX";
    root = mkdtemp(name);
    put("/proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 4194304 kB\n");
  }
  ~Tree() { std::filesystem::remove_all(root); }
  void put(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  void put(const std::string& path, uint64_t number) const { put(path, std::to_string(number) + "\n"); }
  std::string root;
};

constexpr const char* kV2Mount =
    "30 1 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

void expectRoom(const Tree& tree, uint64_t bytes, const std::string& limit) {
  const MemoryRoom room = availableMemory(tree.root);
  expectEqual(room.bytes, bytes, "room (" + room.limit + ")");
  expectEqual(room.limit, limit.front() == '/' ? tree.root + limit : limit, "limit");
}

}  // namespace

TEST("without control groups: MemAvailable") {
  const Tree tree;
  expectRoom(tree, 4096 * kMiB, "MemAvailable");
}

TEST("cgroup v2: the limit of a parent counts, as Slurm sets it at the job") {
  const Tree tree;
  tree.put("/proc/self/mountinfo", kV2Mount);
  tree.put("/proc/self/cgroup", "0::/slurm/job_7/step_0/task_1\n");
  const std::string job = "/sys/fs/cgroup/slurm/job_7";
  for (const char* below : {"/step_0/task_1", "/step_0"}) {
    tree.put(job + below + "/memory.max", "max\n");
    tree.put(job + below + "/memory.current", 100 * kMiB);
  }
  tree.put(job + "/memory.max", 1024 * kMiB);
  tree.put(job + "/memory.current", 300 * kMiB);
  expectRoom(tree, 724 * kMiB, job + "/memory.max");
  // A smaller one at the own group comes first.
  tree.put(job + "/step_0/task_1/memory.max", 500 * kMiB);
  expectRoom(tree, 400 * kMiB, job + "/step_0/task_1/memory.max");
}

TEST("page cache of files counts as free, pages of tmpfs and memfds do not") {
  const Tree tree;
  tree.put("/proc/self/mountinfo", kV2Mount);
  tree.put("/proc/self/cgroup", "0::/box\n");
  tree.put("/sys/fs/cgroup/box/memory.max", 1000 * kMiB);
  tree.put("/sys/fs/cgroup/box/memory.current", 990 * kMiB);
  tree.put("/sys/fs/cgroup/box/memory.stat",
           "anon 104857600\nfile 838860800\nshmem 104857600\ninactive_file 524288000\nactive_file 209715200\n"
           "slab_reclaimable 10485760\n");
  expectRoom(tree, (10 + 500 + 200 + 10) * kMiB, "/sys/fs/cgroup/box/memory.max");
}

TEST("a used-up group leaves nothing, and no more than that") {
  const Tree tree;
  tree.put("/proc/self/mountinfo", kV2Mount);
  tree.put("/proc/self/cgroup", "0::/box\n");
  tree.put("/sys/fs/cgroup/box/memory.max", 100 * kMiB);
  tree.put("/sys/fs/cgroup/box/memory.current", 120 * kMiB);
  expectRoom(tree, 0, "/sys/fs/cgroup/box/memory.max");
}

TEST("cgroup v1, next to other hierarchies: parents and total_ figures") {
  const Tree tree;
  tree.put("/proc/self/mountinfo",
           "31 1 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
           "32 1 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
           "33 1 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  tree.put("/proc/self/cgroup", "9:cpu,cpuacct:/other\n7:memory:/docker/box\n0::/docker/box\n");
  const std::string docker = "/sys/fs/cgroup/memory/docker";
  tree.put(docker + "/box/memory.limit_in_bytes", 9223372036854771712ULL);  // none, as the kernel says it
  tree.put(docker + "/box/memory.usage_in_bytes", 5 * kMiB);
  tree.put(docker + "/memory.limit_in_bytes", 400 * kMiB);
  tree.put(docker + "/memory.usage_in_bytes", 390 * kMiB);
  tree.put(
      docker + "/memory.stat",
      "inactive_file 1048576\nactive_file 0\ntotal_inactive_file 52428800\ntotal_active_file 10485760\n");
  expectRoom(tree, (10 + 60) * kMiB, docker + "/memory.limit_in_bytes");
}

TEST("a container that sees its own part of the hierarchy alone") {
  const Tree tree;
  tree.put("/proc/self/mountinfo",
           "32 1 0:29 /docker/a\\040b /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  tree.put("/proc/self/cgroup", "7:memory:/docker/a b\n");
  tree.put("/sys/fs/cgroup/memory/memory.limit_in_bytes", 64 * kMiB);
  tree.put("/sys/fs/cgroup/memory/memory.usage_in_bytes", 4 * kMiB);
  expectRoom(tree, 60 * kMiB, "/sys/fs/cgroup/memory/memory.limit_in_bytes");
  tree.put("/proc/self/cgroup",
           "7:memory:/../sibling\n");  // a cgroup namespace that the process was moved out of
  expectRoom(tree, 60 * kMiB, "/sys/fs/cgroup/memory/memory.limit_in_bytes");
}

TEST("a memory group of this kernel, by its limit and by its name (v1, root)") {
  const std::string group = "/sys/fs/cgroup/memory/railrunner-test-" + std::to_string(getpid());
  if (mkdir(group.c_str(), 0755) != 0) {
    std::printf("# SKIP needs root and a cgroup v1 memory hierarchy: %s: %s\n", group.c_str(),
                std::strerror(errno));
    return;
  }
  const std::string inner = group + "/inner";
  mkdir(inner.c_str(), 0755);
  std::ofstream(group + "/memory.limit_in_bytes") << 400 * kMiB;
  const auto moveTo = [](const std::string& folder) {
    std::ofstream(folder + "/tasks") << getpid() << std::flush;
  };
  moveTo(inner);
  const MemoryRoom room = availableMemory();
  moveTo("/sys/fs/cgroup/memory");
  rmdir(inner.c_str());
  rmdir(group.c_str());
  expectEqual(room.limit, group + "/memory.limit_in_bytes", "limit");
  ok(room.bytes > 300 * kMiB && room.bytes <= 400 * kMiB, "room: " + std::to_string(room.bytes));
}

TEST("a pool larger than its NUMA node is refused with the figures") {
  const Tree tree;
  tree.put("/sys/devices/system/node/has_memory", "0-1\n");
  for (const char* node : {"0", "1"}) {
    const std::string n = std::string("Node ") + node;
    tree.put(std::string("/sys/devices/system/node/node") + node + "/meminfo",
             n + " MemTotal:  1048576 kB\n" + n + " MemFree:  102400 kB\n" + n +
                 " Active(file):  51200 kB\n" + n + " Inactive(file):  51200 kB\n" + n +
                 " FilePages:  900000 kB\n");
  }
  requireRoomOnNode(200 * kMiB, 1, "host tier", tree.root);
  throws(ErrorCode::kAllocation, "NUMA node 1 has 209715200 of 1073741824 bytes free",
         [&] { requireRoomOnNode(200 * kMiB + 1, 1, "host tier", tree.root); });
  requireRoomOnNode(200 * kMiB + 1, -1, "host tier", tree.root);
  tree.put("/sys/devices/system/node/has_memory", "0\n");
  requireRoomOnNode(200 * kMiB + 1, 0, "host tier", tree.root);  // the host's own figures count there
}

TEST("memory is preferred, touched, bound; a node that is not there is told") {
  constexpr uint64_t kBytes = 4 * kMiB;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int node = numaNodes().front();
  const int preferred = setNumaPolicy(memory, kBytes, node, NumaPolicy::kPreferred);
  if (preferred == ENOSYS || preferred == EPERM) {
    std::printf("# SKIP needs mbind: %s\n", std::strerror(preferred));
    return;
  }
  expectEqual(preferred, 0, "preferred");
  std::memset(memory, 1, kBytes);
  expectEqual(setNumaPolicy(memory, kBytes, node, NumaPolicy::kBound), 0, "bound");
  throws(ErrorCode::kAllocation, "host tier: placing 4194304 bytes on NUMA node 1000",
         [&] { placeOnNode(memory, kBytes, 1000, NumaPolicy::kBound, "host tier"); });
  munmap(memory, kBytes);
}

int main() { return runAll(); }
