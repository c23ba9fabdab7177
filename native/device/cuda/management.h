#pragma once

#include "device/gpus.h"

namespace railrunner::cuda {

// Fills in what NVML says: driver, installed GPUs, the state of each described GPU. Only reads. Where the
// library does not load or answers with an error, `reason` says why and the states stay unknown.
void readManagement(GpuReport& report);

}  // namespace railrunner::cuda
