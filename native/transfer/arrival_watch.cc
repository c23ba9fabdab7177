#include "transfer/arrival_watch.h"

#ifdef RAILRUNNER_CUDA
#include "transfer/cuda/cuda_arrival_watch.h"
#endif

namespace railrunner {

std::unique_ptr<ArrivalWatch> ArrivalWatch::open(Exchange& exchange, Device& device,
                                                 const std::vector<uint8_t>& sharesMemory,
                                                 int64_t deadlineNs) {
#ifdef RAILRUNNER_CUDA
  if (device.kind() == DeviceKind::kCuda)
    return cuda::openArrivalWatch(exchange, device, sharesMemory, deadlineNs);
#endif
  static_cast<void>(exchange);
  static_cast<void>(device);
  static_cast<void>(sharesMemory);
  static_cast<void>(deadlineNs);
  return nullptr;
}

}  // namespace railrunner
