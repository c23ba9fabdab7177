#include "transfer/cuda/cuda_copy_task.h"

#include <algorithm>

#include "core/attempt.h"
#include "device/cuda/cuda_handles.h"
#include "kv/cuda/copy_calls.h"
#include "transfer/cuda/row_kernels.h"

namespace railrunner::cuda {

namespace {

class CudaCopyTask final : public CopyTask {
 public:
  explicit CudaCopyTask(CudaCopy copy) : copy_(std::move(copy)) {
    makeCurrent(copy_.ordinal);
    check(preloadRowKernels(), "loading the copy kernels");
    stream_ = std::make_unique<Stream>();
    done_ = std::make_unique<Event>();
    std::vector<RowPiece> table;
    for (const std::span<const CopySpan> spans : copy_.chunks) {
      for (RowPiece piece : rowPieces(spans, PieceTable::kPieceBytes)) {
        piece.source += reinterpret_cast<uint64_t>(copy_.source);
        piece.target += reinterpret_cast<uint64_t>(copy_.target);
        table.push_back(piece);
      }
      chunkEnds_.push_back(static_cast<uint32_t>(table.size()));
    }
    copy_.chunks.clear();
    upload(table);
  }
  ~CudaCopyTask() override { drain(); }

  void start(uint32_t chunk) override {
    makeCurrent(copy_.ordinal);
    isRunning_ = true;
    isLast_ = chunk + 1 == chunkEnds_.size();
    const uint32_t first = chunk == 0 ? 0 : chunkEnds_[chunk - 1];
    ArrivalTell tell;
    if (isLast_ && copy_.arrivalWord != nullptr)
      tell = {finished_.as<uint32_t>(), copy_.arrivalWord, *copy_.epoch};
    check(launchCopyRows(table_.as<RowPiece>() + first, chunkEnds_[chunk] - first,
                         {std::max(1U, copy_.maxCtas), kCopyThreads}, tell, *stream_),
          "launching copyRowsKernel");
    done_->record(*stream_);
  }
  bool poll() override {
    if (!isRunning_) return true;
    if (!done_->isPast()) return false;
    isRunning_ = false;
    if (isLast_ && copy_.whenDone) copy_.whenDone();
    return true;
  }
  // A kernel that copies ends by itself; a lost device has ended everything.
  void drain() noexcept override {
    if (isRunning_) static_cast<void>(cudaStreamSynchronize(*stream_));
    isRunning_ = false;
  }

 private:
  // On the stream that the kernels follow on.
  void upload(const std::vector<RowPiece>& table) {
    finished_ = Buffer(Buffer::Place::kDevice, sizeof(uint32_t));
    check(cudaMemsetAsync(finished_.as(), 0, sizeof(uint32_t), *stream_), "cudaMemsetAsync");
    if (!table.empty()) {
      const uint64_t bytes = table.size() * sizeof(RowPiece);
      table_ = Buffer(Buffer::Place::kDevice, bytes);
      check(cudaMemcpyAsync(table_.as(), table.data(), bytes, cudaMemcpyHostToDevice, *stream_),
            "cudaMemcpyAsync of the piece table");
    }
    check(cudaStreamSynchronize(*stream_), "cudaStreamSynchronize");
  }

  CudaCopy copy_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> done_;
  Buffer table_, finished_;
  std::vector<uint32_t> chunkEnds_;
  bool isRunning_ = false;
  bool isLast_ = false;
};

}  // namespace

std::unique_ptr<CopyTask> makeCudaCopyTask(CudaCopy copy) {
  return std::make_unique<CudaCopyTask>(std::move(copy));
}

}  // namespace railrunner::cuda
