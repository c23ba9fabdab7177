#include "device/gpus.h"

#ifdef RAILRUNNER_CUDA
#include "device/cuda/describe_gpus.h"
#endif

namespace railrunner {

std::optional<GpuReport> describeGpus() {
#ifdef RAILRUNNER_CUDA
  return cuda::describeVisibleGpus();
#else
  return std::nullopt;
#endif
}

}  // namespace railrunner
