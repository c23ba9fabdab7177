#include "moe/cuda/kernel_waits.h"

#include <atomic>
#include <cstring>

namespace railrunner::moe::cuda {

using railrunner::cuda::Buffer;
using railrunner::cuda::check;

KernelWaits::KernelWaits(RunControl& control, const Shape& shape, uint32_t rank, Refusal refusal)
    : control_(control),
      shape_(shape),
      rank_(rank),
      refusal_(std::move(refusal)),
      memory_(Buffer::Place::kPinned, sizeof(WaitControl)) {
  std::memset(memory_.as(), 0, sizeof(WaitControl));
}

WaitControl* KernelWaits::onDevice() const {
  void* mapped = nullptr;
  check(cudaHostGetDevicePointer(&mapped, memory_.as(), 0), "cudaHostGetDevicePointer");
  return static_cast<WaitControl*>(mapped);
}

bool KernelWaits::hasFailed() const {
  return std::atomic_ref<uint32_t>(words().failed).load(std::memory_order_acquire) != 0;
}

void KernelWaits::await(const char* call, cudaStream_t stream, const std::function<bool()>& isDone) {
  try {
    waitUntil(
        [&] {
          if (isDone() || hasFailed()) return true;
          tellAwaited();
          return false;
        },
        control_, 0, "the GPU");
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kAborted) throwAborted(call, stream);
    throw;
  }
  if (hasFailed()) {
    end(stream);
    control_.awaitedPeer.store(-1, std::memory_order_relaxed);
    throw refusal_(words(), std::string(call) + " (epoch " + std::to_string(words().epoch) + ")");
  }
  if (hasTold_) control_.awaitedPeer.store(-1, std::memory_order_relaxed);
  hasTold_ = false;
  std::atomic_ref<uint32_t>(words().awaited).store(0, std::memory_order_relaxed);
}

void KernelWaits::finish(const char* call, cudaStream_t stream) {
  done_.record(stream);
  await(call, stream, [this] { return done_.isPast(); });
}

// Who hung is asked while kernels still wait.
void KernelWaits::tellAwaited() {
  const uint32_t awaited = std::atomic_ref<uint32_t>(words().awaited).load();
  if (awaited == 0) return;
  control_.awaitedPeer.store(static_cast<int32_t>(awaited - 1), std::memory_order_relaxed);
  hasTold_ = true;
}

void KernelWaits::abandon() { std::atomic_ref<uint32_t>(words().abort).store(1, std::memory_order_release); }

void KernelWaits::end(cudaStream_t stream) {
  abandon();
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

void KernelWaits::throwAborted(const char* call, cudaStream_t stream) {
  end(stream);
  std::string sentence = std::string(call) + ": rank " + std::to_string(rank_) + " was told to stop waiting";
  if (hasFailed()) {
    control_.awaitedPeer.store(static_cast<int32_t>(words().rank), std::memory_order_relaxed);
    sentence = std::string(call) + " (epoch " + std::to_string(words().epoch) + "): rank " +
               std::to_string(rank_) + " stopped waiting for " +
               describeWait(words(), rank_, shape_.numLocalExperts());
  }
  throw Error(ErrorCode::kAborted, sentence);
}

}  // namespace railrunner::moe::cuda
