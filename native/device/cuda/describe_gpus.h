#pragma once

#include "device/gpus.h"

namespace railrunner::cuda {

// An empty list where there is no driver or no visible GPU.
GpuReport describeVisibleGpus();

}  // namespace railrunner::cuda
