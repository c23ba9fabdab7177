#pragma once

#include <memory>

#include "device/device.h"
#include "device/probe.h"

namespace railrunner {

// Never throws: no driver, an old driver, no GPU and a count of 0 all are "no cuda device" with their reason.
CudaProbe probeCuda();

// Throws kUnsupportedHere where there is no such GPU, kCuda where the GPU refuses a context.
std::unique_ptr<Device> openCudaDevice(int ordinal);

}  // namespace railrunner
