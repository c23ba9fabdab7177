#pragma once

#include <string>

#include "core/error.h"

namespace railrunner {

// ncclResult_t, as far as it is published. Newer libraries may return more.
enum NcclResult : int {
  kNcclSuccess = 0,
  kNcclUnhandledCudaError = 1,
  kNcclSystemError = 2,
  kNcclInternalError = 3,
  kNcclInvalidArgument = 4,
  kNcclInvalidUsage = 5,
  kNcclRemoteError = 6,
  kNcclInProgress = 7,
  kNcclTimeout = 8,  // NCCL 2.30
};

// "ncclSystemError"; "unknown result 42" for what is not in the list.
std::string ncclResultName(int result);

// kNccl: call, name and number of the result, what NCCL says itself (may be empty), and what to do about it.
Error ncclError(const std::string& call, int result, const std::string& detail);

}  // namespace railrunner
