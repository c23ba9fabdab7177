#include "device/host/memory_limit.h"

#include <fstream>
#include <sstream>

namespace railrunner {

namespace {

constexpr uint64_t kNoLimit = UINT64_MAX;
// cgroup v1 says "no limit" as the largest number of pages that it can count.
constexpr uint64_t kNoLimitOfV1 = 1ULL << 62;

enum class Version { kV1, kV2 };

// Where the memory controller's hierarchy is mounted, and which of its folders the mount shows.
struct Mount {
  Version version = Version::kV2;
  std::string shown;
  std::string point;
};

bool hasWord(const std::string& list, const std::string& word) {
  std::istringstream words(list);
  for (std::string each; std::getline(words, each, ',');) {
    if (each == word) return true;
  }
  return false;
}

// mountinfo writes blanks in paths as \\040.
std::string unescaped(const std::string& path) {
  std::string text;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 3 < path.size()) {
      text += static_cast<char>((path[i + 1] - '0') * 64 + (path[i + 2] - '0') * 8 + (path[i + 3] - '0'));
      i += 3;
    } else {
      text += path[i];
    }
  }
  return text;
}

// "36 35 98:0 /shown /point rw,noatime master:1 - cgroup2 source rw,memory"
std::vector<Mount> mounts(const std::string& root) {
  std::vector<Mount> found;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string id, parent, device, shown, point, word, type, source, options;
    words >> id >> parent >> device >> shown >> point;
    while (words >> word && word != "-") {
    }
    words >> type >> source >> options;
    const bool isV1 = type == "cgroup" && hasWord(options, "memory");
    if (type != "cgroup2" && !isV1) continue;
    found.push_back({isV1 ? Version::kV1 : Version::kV2, unescaped(shown), unescaped(point)});
  }
  return found;
}

// Of the process, "" where it has none: "0::/user.slice" (v2), "7:memory,hugetlb:/job" (v1).
std::string groupPath(const std::string& root, Version version) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool isV2 = line.substr(0, first) == "0" && controllers.empty();
    if (version == Version::kV2 ? isV2 : hasWord(controllers, "memory")) return line.substr(second + 1);
  }
  return "";
}

// The part of `path` inside the folder that a mount shows; nothing where the path lies outside of it (a cgroup
// namespace), as the mount then shows the process's own group or one above it.
std::string insideOf(const std::string& path, const std::string& shown) {
  if (path == "/" || path.rfind("/..", 0) == 0) return "";
  if (shown == "/") return path;
  if (path == shown) return "";
  return path.rfind(shown + "/", 0) == 0 ? path.substr(shown.size()) : "";
}

uint64_t numberIn(const std::string& path, uint64_t absent) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? value : absent;  // "max" is not a number
}

uint64_t reclaimableIn(const std::string& folder) {
  std::ifstream file(folder + "/memory.stat");
  uint64_t v1 = 0, v2 = 0, value = 0;
  for (std::string name; file >> name >> value;) {
    if (name == "total_inactive_file" || name == "total_active_file") v1 += value;
    if (name == "inactive_file" || name == "active_file" || name == "slab_reclaimable") v2 += value;
  }
  return v1 > 0 ? v1 : v2;  // v1 has the names of v2 too, for the group without its children
}

MemoryRoom roomOfGroup(const std::string& folder) {
  std::string name = folder + "/memory.max";
  uint64_t limit = numberIn(name, kNoLimit);
  uint64_t used = numberIn(folder + "/memory.current", 0);
  if (limit == kNoLimit) {
    name = folder + "/memory.limit_in_bytes";
    limit = numberIn(name, kNoLimit);
    used = numberIn(folder + "/memory.usage_in_bytes", 0);
    if (limit >= kNoLimitOfV1) return {};
  }
  const uint64_t cache = reclaimableIn(folder);
  const uint64_t held = used > cache ? used - cache : 0;
  return {limit > held ? limit - held : 0, name};
}

uint64_t memAvailable(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name, rest;
  uint64_t kilobytes = 0;
  while (file >> name >> kilobytes && std::getline(file, rest)) {
    if (name == "MemAvailable:") return kilobytes * 1024;
  }
  return kNoLimit;
}

}  // namespace

std::vector<std::string> memoryGroups(const std::string& root) {
  std::vector<std::string> folders;
  for (const Mount& mount : mounts(root)) {
    const std::string path = groupPath(root, mount.version);
    if (path.empty()) continue;
    std::string inside = insideOf(path, mount.shown);
    for (;;) {
      folders.push_back(root + mount.point + inside);
      if (inside.empty()) break;
      inside.resize(inside.rfind('/'));
    }
  }
  return folders;
}

MemoryRoom availableMemory(const std::string& root) {
  MemoryRoom least{memAvailable(root), "MemAvailable"};
  for (const std::string& folder : memoryGroups(root)) {
    const MemoryRoom room = roomOfGroup(folder);
    if (room.bytes < least.bytes) least = room;
  }
  return least;
}

}  // namespace railrunner
