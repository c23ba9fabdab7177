#include "transfer/cuda/cuda_copy_task.h"

#include <algorithm>
#include <atomic>

#include "kv/cuda/copy_calls.h"
#include "transfer/cuda/row_kernels.h"

namespace railrunner::cuda {

namespace {

// Between two looks at whether the kernel can still store its word: each asks the driver.
constexpr uint32_t kPollsPerLook = 256;

class CudaCopyTask final : public CopyTask {
 public:
  explicit CudaCopyTask(CudaCopy copy) : copy_(std::move(copy)) {
    makeCurrent(copy_.ordinal);
    if (!copy_.launcher) copy_.launcher = std::make_shared<CopyLauncher>(copy_.ordinal);
    words_ = copy_.launcher->newWords();
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
  // A kernel that has stored its word may not have left the GPU, which reads the table until then.
  ~CudaCopyTask() override { copy_.launcher->drain(); }

  void start(uint32_t chunk) override {
    isRunning_ = true;
    isLast_ = chunk + 1 == chunkEnds_.size();
    const uint32_t first = chunk == 0 ? 0 : chunkEnds_[chunk - 1];
    RowPart part;
    part.pieces = table_.as<RowPiece>() + first;
    part.count = chunkEnds_[chunk] - first;
    part.numBlocks = rowBlocks(part.count, std::max(1U, copy_.maxCtas));
    part.finished = words_.finished;
    part.done = {words_.done, ++started_};
    if (isLast_ && copy_.arrivalWord != nullptr) part.arrival = {copy_.arrivalWord, *copy_.epoch};
    polls_ = 0;
    copy_.launcher->add(part);
  }
  bool poll() override {
    if (!isRunning_) return true;
    if (std::atomic_ref(*words_.done).load(std::memory_order_acquire) != started_) {
      if (++polls_ % kPollsPerLook == 0) copy_.launcher->requireRunning(words_.done, started_);
      return false;
    }
    isRunning_ = false;
    if (isLast_ && copy_.whenDone) copy_.whenDone();
    return true;
  }
  // A kernel that copies ends by itself; a lost device has ended everything.
  void drain() noexcept override {
    if (isRunning_) copy_.launcher->drain();
    isRunning_ = false;
  }

 private:
  // On the stream that the kernels follow on.
  void upload(const std::vector<RowPiece>& table) {
    if (table.empty()) return;
    const uint64_t bytes = table.size() * sizeof(RowPiece);
    table_ = Buffer(Buffer::Place::kDevice, bytes);
    check(cudaMemcpyAsync(table_.as(), table.data(), bytes, cudaMemcpyHostToDevice, copy_.launcher->stream()),
          "cudaMemcpyAsync of the piece table");
    check(cudaStreamSynchronize(copy_.launcher->stream()), "cudaStreamSynchronize");
  }

  CudaCopy copy_;
  ProgressWords words_;
  Buffer table_;
  std::vector<uint32_t> chunkEnds_;
  uint64_t started_ = 0;
  uint32_t polls_ = 0;
  bool isRunning_ = false;
  bool isLast_ = false;
};

}  // namespace

std::unique_ptr<CopyTask> makeCudaCopyTask(CudaCopy copy) {
  return std::make_unique<CudaCopyTask>(std::move(copy));
}

}  // namespace railrunner::cuda
