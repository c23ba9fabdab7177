#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace railrunner {

// Codes that native code can raise. The names are those of the catalogue in runner/errors.ts, which is what
// knows the exit status of each; a rule test holds both lists equal.
enum class ErrorCode {
  kArgument,         // a caller of the native surface passed something it must not
  kState,            // a handle was used after close, or out of order
  kAborted,          // a wait ended because this rank was told to stop waiting
  kTimeout,          // a wait ended at its deadline
  kAllocation,       // allocation failed in some tier
  kIo,               // a disk operation failed, with errno and path
  kBlockIds,         // block ids or a layer range are not legal for the pools
  kUnsupportedHere,  // legal spec, but this machine, device or MPI cannot do it
  kMpiMissing,       // no plug-in, or the MPI library does not load
  kWorldLost,        // the control plane cannot go on
  kPeerDead,         // a peer ended or stopped answering
  kWrongData,        // what a peer sent is not what it can have sent
  kNetwork,          // UCX failed
  kNetworkMissing,   // UCX cannot be loaded
  kTransport,        // a transport was demanded, and the network uses another
  kCuda,             // a CUDA call failed, the context lives on
  kCudaSticky,       // the CUDA context is lost
  kNccl,             // an NCCL call failed
  kNcclMissing,      // NCCL cannot be loaded
};

// "E_..." as written in the error_code column.
std::string_view errorCodeName(ErrorCode code);

// Every failure below the binding. The message says where, what was expected, what was received, what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// An Error whose message ends with the text of errno, for example "open /x: No space left on device (errno
// 28)".
Error errnoError(ErrorCode code, const std::string& what, int errorNumber);

}  // namespace railrunner
