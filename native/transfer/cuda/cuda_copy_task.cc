#include "transfer/cuda/cuda_copy_task.h"

#include "core/attempt.h"
#include "device/cuda/cuda_handles.h"
#include "kv/cuda/copy_calls.h"

namespace railrunner::cuda {

namespace {

class CudaCopyTask final : public CopyTask {
 public:
  CudaCopyTask(int ordinal, const CopyPlan& plan, const std::byte* source, std::byte* target,
               uint32_t maxCtas, std::function<void()> whenDone)
      : ordinal_(ordinal), grid_{std::max(1U, maxCtas), kCopyThreads}, whenDone_(std::move(whenDone)) {
    makeCurrent(ordinal);
    check(preloadCopyKernels(), "loading the copy kernels");
    stream_ = std::make_unique<Stream>();
    done_ = std::make_unique<Event>();
    std::vector<CopyRegion> regions;
    regions.reserve(plan.spans.size());
    for (const CopySpan& span : plan.spans) {
      if (span.bytes == 0) continue;
      regions.push_back({reinterpret_cast<uint64_t>(source) + span.sourceOffset,
                         reinterpret_cast<uint64_t>(target) + span.targetOffset, span.bytes});
    }
    const std::vector<CopyRegion> pieces = splitRegions(regions, PieceTable::kPieceBytes);
    numPieces_ = static_cast<uint32_t>(pieces.size());
    if (numPieces_ > 0) pieces_.upload(pieces);
  }
  ~CudaCopyTask() override { drain(); }

  void start() override {
    makeCurrent(ordinal_);
    isRunning_ = true;
    if (numPieces_ > 0) pieces_.issue(0, numPieces_, {0, 0}, grid_, *stream_);
    done_->record(*stream_);
  }
  bool poll() override {
    if (!isRunning_) return true;
    if (!done_->isPast()) return false;
    isRunning_ = false;
    whenDone_();
    return true;
  }
  // A kernel that copies ends by itself; a lost device has ended everything.
  void drain() noexcept override {
    if (isRunning_) static_cast<void>(cudaStreamSynchronize(*stream_));
    isRunning_ = false;
  }

 private:
  int ordinal_;
  CopyGrid grid_;
  std::function<void()> whenDone_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> done_;
  PieceTable pieces_;
  uint32_t numPieces_ = 0;
  bool isRunning_ = false;
};

}  // namespace

std::unique_ptr<CopyTask> makeCudaCopyTask(int ordinal, const CopyPlan& plan, const std::byte* source,
                                           std::byte* target, uint32_t maxCtas,
                                           std::function<void()> whenDone) {
  return std::make_unique<CudaCopyTask>(ordinal, plan, source, target, maxCtas, std::move(whenDone));
}

}  // namespace railrunner::cuda
