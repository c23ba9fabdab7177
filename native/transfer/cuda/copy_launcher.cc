#include "transfer/cuda/copy_launcher.h"

#include <atomic>

namespace railrunner::cuda {

namespace {

// Words of a slab, a cache line each.
constexpr uint32_t kSlabWords = 64;
constexpr uint32_t kWordBytes = 64;

}  // namespace

CopyLauncher::CopyLauncher(int ordinal)
    : ordinal_(ordinal), stream_([ordinal] {
        makeCurrent(ordinal);
        return Stream();
      }()) {
  check(preloadRowKernels(), "loading the copy kernels");
}

ProgressWords CopyLauncher::newWords() {
  makeCurrent(ordinal_);
  if (doneWords_.empty() || wordsUsed_ == kSlabWords) {
    counters_.emplace_back(Buffer::Place::kDevice, kSlabWords * kWordBytes);
    check(cudaMemsetAsync(counters_.back().as(), 0, kSlabWords * kWordBytes, stream_), "cudaMemsetAsync");
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    doneWords_.emplace_back(Buffer::Place::kPinned, kSlabWords * kWordBytes);
    std::fill_n(doneWords_.back().as<std::byte>(), kSlabWords * kWordBytes, std::byte{0});
    wordsUsed_ = 0;
  }
  const uint32_t at = wordsUsed_++ * kWordBytes;
  return {reinterpret_cast<uint32_t*>(counters_.back().as<std::byte>() + at),
          reinterpret_cast<uint64_t*>(doneWords_.back().as<std::byte>() + at)};
}

void CopyLauncher::add(const RowPart& part) {
  if (gathered_.numParts == kMaxRowParts) launch();
  gathered_.parts[gathered_.numParts++] = part;
  if (!isHeld_) launch();
}

void CopyLauncher::launch() {
  if (gathered_.numParts == 0) return;
  makeCurrent(ordinal_);
  const cudaError_t status = launchCopyRows(gathered_, stream_);
  gathered_.numParts = 0;
  check(status, "launching copyRowsKernel");
}

void CopyLauncher::requireRunning(const uint64_t* done, uint64_t awaited) const {
  makeCurrent(ordinal_);
  const cudaError_t status = cudaStreamQuery(stream_);
  if (status == cudaErrorNotReady) return;
  check(status, "cudaStreamQuery");
  // It may have stored its word since this was looked at.
  const uint64_t seen = std::atomic_ref(*const_cast<uint64_t*>(done)).load(std::memory_order_acquire);
  if (seen == awaited) return;
  throw Error(ErrorCode::kState, "a copy kernel ended and stored " + std::to_string(seen) +
                                     " as its number, not " + std::to_string(awaited));
}

void CopyLauncher::drain() noexcept {
  static_cast<void>(cudaSetDevice(ordinal_));
  static_cast<void>(cudaStreamSynchronize(stream_));
}

}  // namespace railrunner::cuda
