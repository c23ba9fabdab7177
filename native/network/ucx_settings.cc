#include "network/ucx_settings.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/name_list.h"

namespace railrunner {

namespace {

// Names and aliases of UCX's transports between processes of one machine.
constexpr std::array<std::string_view, 11> kSharedMemory = {
    "sm", "shm", "mm", "posix", "sysv", "xpmem", "cma", "knem", "cuda_ipc", "rocm_ipc", "ze_ipc"};
// "\\posix": behind a backslash a name is that transport itself; without one, UCX may take it for an alias.
bool needsSharedMemory(std::string_view name) {
  if (!name.empty() && name.front() == '\\') name.remove_prefix(1);
  return std::find(kSharedMemory.begin(), kSharedMemory.end(), name) != kSharedMemory.end();
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

std::mutex variablesMutex;
std::string variables;

}  // namespace

std::string networkTransports(const std::string& list) {
  if (list.empty()) return "^sm";
  if (list.front() == '^') {
    std::vector<std::string> names = namesOf(list.substr(1));
    if (std::find(names.begin(), names.end(), "sm") == names.end()) names.emplace_back("sm");
    return "^" + joined(names);
  }
  std::vector<std::string> names = namesOf(list);
  if (std::find(names.begin(), names.end(), "all") != names.end()) return "^sm";
  std::erase_if(names, [](const std::string& name) { return needsSharedMemory(name) || name == "self"; });
  if (!names.empty()) return joined(names);
  throw Error(
      ErrorCode::kNetworkMissing,
      "network: UCX_TLS=" + list +
          " names only transports inside a machine, expected one between nodes (tcp, rc, dc, ud). Unset "
          "UCX_TLS, or add one.");
}

void setUcxVariables(const std::string& named) {
  const std::lock_guard lock(variablesMutex);
  variables = named;
}

std::string ucxVariables() {
  const std::lock_guard lock(variablesMutex);
  return variables;
}

}  // namespace railrunner
