#include "collective/nccl_results.h"

#include <array>

namespace railrunner {

namespace {

struct ResultEntry {
  const char* name;
  const char* hint;
};

// By value.
constexpr std::array<ResultEntry, 9> kResults = {{
    {"ncclSuccess", ""},
    {"ncclUnhandledCudaError",
     "a CUDA call inside NCCL failed: look at the GPU's state and at the driver's log"},
    {"ncclSystemError",
     "a system call inside NCCL failed: look at /dev/shm, open files, memory locks, sockets"},
    {"ncclInternalError", "NCCL itself failed: report it with the log that NCCL_DEBUG=INFO writes"},
    {"ncclInvalidArgument", "an argument was refused: do the ranks pass the same sizes and configuration?"},
    {"ncclInvalidUsage", "the call came at a wrong time, or two ranks use one GPU"},
    {"ncclRemoteError", "another rank failed or ended: look at the other ranks' rows and logs"},
    {"ncclInProgress", "the operation has not ended"},
    {"ncclTimeout", "NCCL gave up waiting: look for the rank that did not come"},
}};

bool isKnown(int result) { return result >= 0 && static_cast<size_t>(result) < kResults.size(); }

}  // namespace

std::string ncclResultName(int result) {
  if (isKnown(result)) return kResults[static_cast<size_t>(result)].name;
  return "unknown result " + std::to_string(result);
}

Error ncclError(const std::string& call, int result, const std::string& detail) {
  std::string message = call + ": " + ncclResultName(result);
  if (isKnown(result)) message += " (" + std::to_string(result) + ")";
  if (!detail.empty()) message += ", NCCL says \"" + detail + "\"";
  const std::string hint = isKnown(result) ? kResults[static_cast<size_t>(result)].hint : "";
  if (!hint.empty()) message += "; " + hint;
  return Error(ErrorCode::kNccl, message + ". NCCL_DEBUG=INFO tells more.");
}

}  // namespace railrunner
