#pragma once

#include <memory>
#include <string>

#include "core/run_control.h"
#include "kv/transfer.h"

namespace railrunner {

// Copies in one direction between two pools of a rank, of blocks that are chosen as it goes: threads, streams, queues
// and pinned memory are kept, and each call plans its own copies. A Transfer compiles one list and repeats it; this
// is for lists that come once. Used by one thread at a time; the pools outlive it.
class LaneCopier {
 public:
  virtual ~LaneCopier() = default;
  // Copies the lane, whose pools are the copier's: bytes as they were issued. Nothing is in flight when it returns or
  // throws. Throws kBlockIds before any memory is touched, kIo, kAborted, kCuda.
  virtual PathBytes copy(const LaneRequest& lane, RunControl& control) = 0;
  // Of the last call; Strategy::kAuto before the first.
  virtual Strategy strategyUsed() const = 0;
  virtual std::string diskIo() const { return ""; }
};

// `queueIndex`: the disk queue that it takes for itself, where one of the pools is a disk. Throws kUnsupportedHere for
// a strategy that this device lacks.
std::unique_ptr<LaneCopier> makeLaneCopier(Device& device, BlockPool& source, BlockPool& target,
                                           uint32_t queueIndex, const TransferOptions& options);

}  // namespace railrunner
