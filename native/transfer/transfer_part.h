#pragma once

#include <array>
#include <memory>

#include "transfer/copy_task.h"
#include "transfer/directory.h"
#include "transfer/notice_board.h"

namespace railrunner {

// What this rank has to do with one move.
enum class PartRole : uint32_t {
  kCopies,     // starts it, over memory that it reaches
  kWritesOut,  // starts it: sends to a network peer
  kReadsIn,    // starts it: has a network peer send
  kReceives,   // a peer writes into its memory
  kServes,     // sends what a network peer reads
  kIsRead,     // a peer reads its memory, which it reaches
};

// Which of its plans an iteration carries out.
enum class PartPlan : uint32_t { kMove = 0, kFaulty = 1, kProbe = 2 };

// One move, as this rank takes part in it.
struct TransferPart {
  PartRole role = PartRole::kCopies;
  uint32_t peer = 0;
  PlannedMove move;
  CopyPlan plan;                                   // of the move
  std::array<std::unique_ptr<CopyTask>, 3> tasks;  // by PartPlan; null where this rank copies nothing
  bool arrivesHere = false;                        // its bytes land in this rank's memory
  bool isOwn() const { return role <= PartRole::kReadsIn; }

  // Of the iteration that runs.
  enum class Step : uint32_t { kAwaitRequest, kHeld, kCopying, kAwaitArrival, kAwaitTaken, kEnded };
  Step step = Step::kEnded;
  CopyTask* running = nullptr;  // the task that was started
  int64_t heldUntilNs = 0;  // kHeld: a planted fault told of the arrival already, and holds the bytes back
};

}  // namespace railrunner
