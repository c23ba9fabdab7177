#pragma once

#include <array>
#include <memory>

#include "transfer/copy_task.h"
#include "transfer/directory.h"
#include "transfer/network_move.h"
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
  // Where bytes come through a bounce buffer here: of the move and of the probe.
  std::array<std::unique_ptr<NetworkDrain>, 2> drains;
  bool plantsEarly = false;         // tells of its arrival too early, in the last sample
  std::unique_ptr<CopyTask> tells;  // for that: kernels are told, and nothing is copied
  std::byte* fillBuffer = nullptr;
  bool arrivesHere = false;  // its bytes land in this rank's memory
  bool fills = false;        // leaves this rank through a bounce buffer here
  bool lands = false;        // arrives through one at the target's owner
  bool isOwn() const { return role <= PartRole::kReadsIn; }

  // Of the iteration that runs.
  enum class Step : uint32_t {
    kAwaitRequest,
    kHeld,
    kCopying,
    kAwaitArrival,
    kDraining,
    kAwaitTaken,
    kEnded
  };
  Step step = Step::kEnded;
  CopyTask* running = nullptr;  // the task that was started
  NetworkDrain* draining = nullptr;
  int64_t heldUntilNs = 0;  // kHeld: a planted fault told of the arrival already, and holds the bytes back
  bool hasPlanted = false;
  bool saidSeen = false;  // the device has seen the arrival, and the other rank was told
};

}  // namespace railrunner
