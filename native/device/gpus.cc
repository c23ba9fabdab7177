#include "device/gpus.h"

#if defined(RAILRUNNER_CUDA) && __has_include("device/cuda/describe_gpus.h")
#include "device/cuda/describe_gpus.h"
#define RAILRUNNER_HAVE_GPU_DESCRIPTIONS 1
#endif

namespace railrunner {

std::optional<GpuReport> describeGpus() {
#ifdef RAILRUNNER_HAVE_GPU_DESCRIPTIONS
  return cuda::describeVisibleGpus();
#else
  return std::nullopt;
#endif
}

}  // namespace railrunner
