#pragma once

#include <cstdio>
#include <map>
#include <string>

// A test program whose cases run one per process, because each ends, starves or breaks something of its process.
namespace railrunner::test {

using CasesByName = std::map<std::string, int (*)()>;

// The case that the first argument names; without arguments the names are printed. 2: no such case.
inline int runCaseByName(const CasesByName& cases, int argc, char** argv) {
  const auto found = argc < 2 ? cases.end() : cases.find(argv[1]);
  if (found != cases.end()) return found->second();
  for (const auto& [name, run] : cases) std::printf("%s\n", name.c_str());
  return argc == 1 ? 0 : 2;
}

}  // namespace railrunner::test
