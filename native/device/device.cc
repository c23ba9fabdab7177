#include "device/device.h"

#include "core/error.h"
#include "device/host/host_device.h"
#include "device/probe.h"

#ifdef RAILRUNNER_CUDA
#include "device/cuda/cuda_device.h"
#endif

namespace railrunner {

std::unique_ptr<Device> openDevice(DeviceKind kind, int ordinal) {
  if (ordinal < 0) throw Error(ErrorCode::kArgument, "device ordinal: expected 0 or more");
  if (kind == DeviceKind::kHost) return std::make_unique<HostDevice>(ordinal);
#ifdef RAILRUNNER_CUDA
  return openCudaDevice(ordinal);
#else
  throw Error(ErrorCode::kUnsupportedHere,
              "this build of the addon has no cuda device: no nvcc was found when it was built");
#endif
}

CudaProbe probeCudaDevices() {
#ifdef RAILRUNNER_CUDA
  return probeCuda();
#else
  CudaProbe probe;
  probe.reason = "this build of the addon has no cuda device: no nvcc was found when it was built";
  return probe;
#endif
}

}  // namespace railrunner
