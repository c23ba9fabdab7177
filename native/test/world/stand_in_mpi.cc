// Stands between railrunner and a real plug-in (RAILRUNNER_TEST_PLUGIN) and misbehaves as MPI libraries do, on the rank
// RAILRUNNER_TEST_RANK (a number, or `all`): `fail` answers an error to every message of the worker thread after the third (MPICH does, for a
// peer that is gone), `block` never returns from the test of a request once the file RAILRUNNER_TEST_WHEN has two lines (Open
// MPI 4.1's tcp transport does, while it resends to a host that does not answer).
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "world/plugin/mpi_plugin.h"

namespace {

constexpr int kMailTag = 2;
constexpr int kFewSends = 3;

MpiPlugin table;
const MpiPlugin* real;
int numSends;

bool isChosen() {
  int rank = -1;
  const char* chosen = std::getenv("RAILRUNNER_TEST_RANK");
  if (chosen != nullptr && std::strcmp(chosen, "all") == 0) return true;
  return chosen != nullptr && real->rank(kMpiWorld, &rank) == 0 && rank == std::atoi(chosen);
}

bool misbehaves(const char* how) {
  const char* wanted = std::getenv("RAILRUNNER_TEST_MPI");
  return wanted != nullptr && std::strcmp(wanted, how) == 0;
}

bool hasTwoLines(const char* path) {
  if (path == nullptr) return false;
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) && std::getline(file, line) && !line.empty();
}

int isend(int comm, const void* data, int bytes, int peer, int tag, int* request) {
  if (misbehaves("fail") && tag == kMailTag && isChosen() && ++numSends > kFewSends) return 17;
  return real->isend(comm, data, bytes, peer, tag, request);
}

int test(int request, int* done) {
  if (misbehaves("block") && hasTwoLines(std::getenv("RAILRUNNER_TEST_WHEN")) && isChosen()) {
    for (;;) pause();
  }
  return real->test(request, done);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const MpiPlugin* railrunnerMpiPlugin() {
  void* library = dlopen(std::getenv("RAILRUNNER_TEST_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  real = reinterpret_cast<MpiPluginEntry>(dlsym(library, RAILRUNNER_MPI_PLUGIN_ENTRY))();
  table = *real;
  table.isend = isend;
  table.test = test;
  return &table;
}
