#include "core/error.h"

#include <cstring>

namespace railrunner {

std::string_view errorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kArgument:
      return "E_ARGUMENT";
    case ErrorCode::kState:
      return "E_STATE";
    case ErrorCode::kAborted:
      return "E_ABORTED";
    case ErrorCode::kTimeout:
      return "E_TIMEOUT";
    case ErrorCode::kAllocation:
      return "E_ALLOCATION";
    case ErrorCode::kIo:
      return "E_IO";
    case ErrorCode::kBlockIds:
      return "E_BLOCK_IDS";
    case ErrorCode::kUnsupportedHere:
      return "E_UNSUPPORTED_HERE";
    case ErrorCode::kMpiMissing:
      return "E_MPI_MISSING";
    case ErrorCode::kWorldLost:
      return "E_WORLD_LOST";
    case ErrorCode::kPeerDead:
      return "E_PEER_DEAD";
    case ErrorCode::kWrongData:
      return "E_WRONG_DATA";
    case ErrorCode::kNetwork:
      return "E_NETWORK";
    case ErrorCode::kNetworkMissing:
      return "E_NETWORK_MISSING";
    case ErrorCode::kTransport:
      return "E_TRANSPORT";
    case ErrorCode::kCuda:
      return "E_CUDA";
    case ErrorCode::kCudaSticky:
      return "E_CUDA_STICKY";
    case ErrorCode::kNccl:
      return "E_NCCL";
    case ErrorCode::kNcclMissing:
      return "E_NCCL_MISSING";
  }
  return "E_ARGUMENT";
}

Error errnoError(ErrorCode code, const std::string& what, int errorNumber) {
  return Error(code,
               what + ": " + std::strerror(errorNumber) + " (errno " + std::to_string(errorNumber) + ")");
}

}  // namespace railrunner
