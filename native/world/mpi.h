#pragma once

#include <string>

#include "core/error.h"
#include "world/plugin/mpi_plugin.h"

namespace railrunner {

// The plug-in with errors as exceptions: an MPI call that fails leaves a world that cannot be trusted.
class Mpi {
 public:
  explicit Mpi(const MpiPlugin& plugin) : calls(plugin) {}

  void check(int code, const char* what) const {
    if (code == 0) return;
    char text[256] = {};
    calls.errorText(code, text, sizeof text);
    throw Error(ErrorCode::kWorldLost, std::string("MPI failed in ") + what + ": " + text);
  }

  bool test(int request, const char* what) const {
    int done = 0;
    check(calls.test(request, &done), what);
    return done != 0;
  }

  const MpiPlugin& calls;
};

}  // namespace railrunner
