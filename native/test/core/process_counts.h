#pragma once

#include <dirent.h>
#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

// What this process holds, as the kernel counts it: what a failed open has left behind shows here.
namespace railrunner::test {

struct ProcessCounts {
  int descriptors = 0;
  int memfds = 0;
  int sockets = 0;
  int threads = 0;
  long residentKiB = 0;  // anonymous and shared
};

inline int entriesOf(const char* path) {
  int count = 0;
  DIR* folder = opendir(path);
  for (const dirent* entry = readdir(folder); entry != nullptr; entry = readdir(folder))
    count += entry->d_name[0] != '.' ? 1 : 0;
  closedir(folder);
  return count;
}

inline ProcessCounts countProcess() {
  ProcessCounts counts;
  malloc_trim(0);  // what is free, but kept by the allocator, is no leak
  counts.threads = entriesOf("/proc/self/task");
  DIR* folder = opendir("/proc/self/fd");
  for (const dirent* entry = readdir(folder); entry != nullptr; entry = readdir(folder)) {
    char target[256] = {};
    if (readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1) <= 0) continue;
    const std::string name = target;
    ++counts.descriptors;
    counts.memfds += name.rfind("/memfd:", 0) == 0 ? 1 : 0;
    counts.sockets += name.rfind("socket:", 0) == 0 ? 1 : 0;
  }
  closedir(folder);
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string name;
    long value = 0;
    words >> name >> value;
    if (name == "RssAnon:" || name == "RssShmem:") counts.residentKiB += value;
  }
  return counts;
}

inline std::string textOf(const ProcessCounts& counts) {
  return std::to_string(counts.memfds) + " memfds, " + std::to_string(counts.sockets) + " sockets, " +
         std::to_string(counts.threads) + " threads, " + std::to_string(counts.descriptors) +
         " descriptors, " + std::to_string(counts.residentKiB) + " KiB resident";
}

}  // namespace railrunner::test
