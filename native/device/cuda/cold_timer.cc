#include "device/cuda/cold_timer.h"

#include <algorithm>
#include <atomic>

#include "device/cuda/hold_kernel.h"

namespace railrunner::cuda {

namespace {

// A host that died between hold and release must not leave a kernel spinning.
constexpr uint64_t kHoldLimitNs = 60'000'000'000;

void publish(uint32_t& word, uint32_t value) {
  std::atomic_ref<uint32_t>(word).store(value, std::memory_order_release);
}

}  // namespace

ColdTimer::ColdTimer() : words_(Buffer::Place::kPinned, sizeof(Words)) {
  check(preloadHoldKernel(), "loading the hold kernel");
  int ordinal = 0;
  int cacheBytes = 0;
  check(cudaGetDevice(&ordinal), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&cacheBytes, cudaDevAttrL2CacheSize, ordinal), "cudaDeviceGetAttribute");
  flush_ = Buffer(Buffer::Place::kDevice, 2 * static_cast<uint64_t>(std::max(cacheBytes, 1 << 20)));
  *words_.as<Words>() = {0, 0};
}

void ColdTimer::hold() {
  check(cudaMemsetAsync(flush_.as(), static_cast<int>(epoch_ & 0xffU), flush_.bytes(), stream_),
        "cudaMemsetAsync");
  Words* words = words_.as<Words>();
  check(launchHold(&words->released, ++epoch_, &words->aborted, kHoldLimitNs, stream_),
        "launching holdKernel");
  start_.record(stream_);
}

void ColdTimer::holdUntilAborted() {
  constexpr uint32_t kNeverReleased = 1U << 30;
  Words* words = words_.as<Words>();
  check(launchHold(&words->released, epoch_ + kNeverReleased, &words->aborted, kHoldLimitNs, stream_),
        "launching holdKernel");
}

void ColdTimer::release() { publish(words_.as<Words>()->released, epoch_); }

double ColdTimer::finishUs(const RunControl& control) {
  try {
    stop_.wait(control);
  } catch (const Error&) {
    releaseForEver();
    throw;
  }
  return elapsedUs(stop_);
}

double ColdTimer::elapsedUs(const Event& end) const {
  float ms = 0;
  check(cudaEventElapsedTime(&ms, start_, end), "cudaEventElapsedTime");
  return static_cast<double>(ms) * 1e3;
}

void ColdTimer::releaseForEver() {
  if (words_.as() != nullptr) publish(words_.as<Words>()->aborted, 1);
}

}  // namespace railrunner::cuda
