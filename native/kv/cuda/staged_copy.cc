#include "kv/cuda/staged_copy.h"

#include <algorithm>

namespace railrunner::cuda {

StagedCopy::StagedCopy(const std::vector<std::vector<CopyRegion>>& lists, CopyDirection direction,
                       uint64_t stepBytes, uint64_t maxBufferBytes, uint32_t maxBlocks)
    : direction_(direction), grid_{maxBlocks, kCopyThreads} {
  std::vector<StagedSchedule> schedules;
  uint64_t bufferBytes = 0;
  for (const auto& list : lists) {
    const uint64_t payloadBytes = totalBytes(list);
    if (payloadBytes == 0) continue;
    const uint64_t chosen =
        std::min(stepBytes != 0 ? stepBytes : stagedStepBytes(payloadBytes), maxBufferBytes);
    // Pieces for the kernel are cut before places in the buffers are given out.
    schedules.push_back(scheduleStaged(splitRegions(list, PieceTable::kPieceBytes), direction, chosen));
    bufferBytes = std::max(bufferBytes, schedules.back().bufferBytes);
  }
  if (schedules.empty()) return;
  for (uint32_t i = 0; i < kNumBuffers; ++i) {
    slots_.push_back({Buffer(Buffer::Place::kDevice, bufferBytes), Event(), Event()});
  }
  compile(schedules);
}

void StagedCopy::compile(const std::vector<StagedSchedule>& schedules) {
  std::vector<CopyRegion> pieces;
  for (const StagedSchedule& schedule : schedules) {
    for (const StagedStep& step : schedule.steps) {
      const auto buffer = reinterpret_cast<uint64_t>(slots_[steps_.size() % kNumBuffers].buffer.as());
      steps_.push_back({static_cast<uint32_t>(pieces.size()), step.numPieces, runs_.size(), step.numRuns});
      for (uint32_t i = step.firstPiece; i < step.firstPiece + step.numPieces; ++i) {
        CopyRegion piece = schedule.pieces[i];
        (direction_ == CopyDirection::kDeviceToHost ? piece.target : piece.source) += buffer;
        pieces.push_back(piece);
      }
      for (uint32_t i = step.firstRun; i < step.firstRun + step.numRuns; ++i) {
        const HostRun& run = schedule.runs[i];
        const uint64_t staged = buffer + run.stagingOffset;
        if (direction_ == CopyDirection::kDeviceToHost) {
          runs_.add(staged, run.host, run.bytes);
        } else {
          runs_.add(run.host, staged, run.bytes);
        }
      }
      numCalls_ += 5 + step.numRuns;
    }
  }
  pieces_.upload(pieces);
}

void StagedCopy::runKernel(const Step& step, cudaStream_t stream) const {
  pieces_.issue(step.firstPiece, step.numPieces, {0, 0}, grid_, stream);
}

void StagedCopy::runDma(const Step& step, cudaStream_t stream) {
  if (step.numRuns > 1 && memcpyBatchAvailable()) {
    runs_.issueBatched(step.firstRun, step.numRuns, stream);
  } else {
    runs_.issueSingly(step.firstRun, step.numRuns, memcpyKind(direction_), stream);
  }
}

void StagedCopy::issue(cudaStream_t stream) {
  if (steps_.empty()) return;
  started_.record(stream);
  started_.gate(kernelStream_);
  const bool toHost = direction_ == CopyDirection::kDeviceToHost;
  const cudaStream_t first = toHost ? static_cast<cudaStream_t>(kernelStream_) : stream;
  const cudaStream_t second = toHost ? stream : static_cast<cudaStream_t>(kernelStream_);
  for (size_t i = 0; i < steps_.size(); ++i) {
    Slot& slot = slots_[i % kNumBuffers];
    if (i >= kNumBuffers) slot.drained.gate(first);
    toHost ? runKernel(steps_[i], first) : runDma(steps_[i], first);
    slot.filled.record(first);
    slot.filled.gate(second);
    toHost ? runDma(steps_[i], second) : runKernel(steps_[i], second);
    slot.drained.record(second);
  }
  // Steps end in order, so the last one's second hop is the end of all.
  if (!toHost) slots_[(steps_.size() - 1) % kNumBuffers].drained.gate(stream);
}

}  // namespace railrunner::cuda
