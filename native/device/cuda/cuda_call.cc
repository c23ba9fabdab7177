#include "device/cuda/cuda_call.h"

#include <cstring>
#include <string>

namespace railrunner::cuda {

bool isSticky(cudaError_t status) {
  switch (status) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorContextIsDestroyed:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

void check(cudaError_t status, const char* call, const std::source_location& place) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // a failure that is not sticky must not be reported by the next, innocent call
  int ordinal = -1;
  if (cudaGetDevice(&ordinal) != cudaSuccess) ordinal = -1;
  const char* slash = std::strrchr(place.file_name(), '/');
  const bool sticky = isSticky(status);
  std::string message = std::string(call) + " failed on cuda device " + std::to_string(ordinal) + ": " +
                        cudaGetErrorName(status) + " (" + std::to_string(static_cast<int>(status)) + "), " +
                        cudaGetErrorString(status) + " [" +
                        (slash != nullptr ? slash + 1 : place.file_name()) + ":" +
                        std::to_string(place.line()) + "]";
  const bool isMemory = status == cudaErrorMemoryAllocation;
  if (isMemory) message += ". Use a smaller point, or end what else uses the GPU or pins host memory.";
  if (sticky) message += ". The CUDA context is lost; nothing more can run on this GPU in this process.";
  throw Error(sticky     ? ErrorCode::kCudaSticky
              : isMemory ? ErrorCode::kAllocation
                         : ErrorCode::kCuda,
              message);
}

void copyToDevice(void* target, const void* source, size_t bytes, const char* call,
                  const std::source_location& place) {
  if (bytes == 0) return;
  check(cudaMemcpy(target, source, bytes, cudaMemcpyHostToDevice), call, place);
  check(cudaStreamSynchronize(cudaStreamLegacy), "cudaStreamSynchronize", place);
}

}  // namespace railrunner::cuda
