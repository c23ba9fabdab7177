#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace railrunner {

// The names of a comma-separated list, empty ones left out.
inline std::vector<std::string> namesOf(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    if (!name.empty()) names.emplace_back(name);
    list.remove_prefix(std::min(list.size(), name.size() + 1));
  }
  return names;
}

}  // namespace railrunner
