#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/run_control.h"
#include "kv/copy_plan.h"
#include "kv/copy_team.h"
#include "kv/transfer.h"

namespace railrunner {

// One direction between two memories that CPUs reach, as loops of this process.
//   memcpy  one thread, one memcpy per region, in order
//   kernel  joined runs, cut into chunks that up to `threads` threads take in order, at most
//   maxConcurrentTransfers
//           batches in flight; cached or streaming stores, one or more threads: whichever was quicker in two
//           rounds over the real plan before the first sample
//   auto    the quickest of all of these
class MemoryLane {
 public:
  MemoryLane(LaneRequest request, const TransferOptions& options);

  // Chooses among the variants that the strategy allows, by trying them. Overwrites the targets.
  void tune(RunControl& control);
  void execute(RunControl& control);
  void poisonTargets(const RunControl& control) { request_.target->poison(request_.targetIds, control); }
  LaneFacts facts() const;
  uint64_t payloadBytes() const { return joined_.payloadBytes; }

  // Copies `payloadBytes` in one piece by plain memcpy, between memories of its own.
  class Probe;
  std::unique_ptr<Probe> makeProbe(const RunControl& control) const;

 private:
  enum class Variant : uint32_t { kRegions, kCachedOne, kCachedTeam, kStreamOne, kStreamTeam };
  struct Tile {
    uint32_t spanBegin, spanEnd, batch;
  };
  struct alignas(64) WorkerCount {
    uint64_t bytes = 0;
  };

  void makeTiles(uint64_t chunkBytes);
  std::vector<Variant> variantsAllowed() const;
  void executeVariant(Variant variant, RunControl& control);
  void executeRegions(const RunControl& control);
  template <bool kStreaming>
  void executeTiles(uint32_t active, RunControl& control);
  template <bool kStreaming>
  void work(uint32_t worker, const RunControl& control);
  void finishTile(uint32_t batch);
  void requireIssued(uint64_t bytes) const;

  LaneRequest request_;
  TransferOptions options_;
  CopyPlan regions_;  // one span per region; empty unless a variant needs it
  CopyPlan joined_;
  std::vector<Tile> tiles_;
  std::vector<uint32_t> tilesOfBatch_;
  Variant variant_;
  bool isTuned_ = false;
  std::unique_ptr<CopyTeam> team_;
  std::vector<WorkerCount> issued_;
  std::vector<std::atomic<uint32_t>> tilesLeft_;  // by batch
  alignas(64) std::atomic<uint32_t> nextTile_{0};
  alignas(64) std::atomic<uint32_t> batchesDone_{0};  // all batches below it are whole
  std::atomic<bool> aborted_{false};
};

// The contiguous memcpy that a lane is judged against.
class MemoryLane::Probe {
 public:
  explicit Probe(uint64_t bytes);
  ~Probe();
  void beforeSample(uint32_t, bool) {}
  double run();
  uint64_t bytes() const { return bytes_; }

 private:
  uint64_t bytes_;
  std::byte* source_ = nullptr;
  std::byte* target_ = nullptr;
};

}  // namespace railrunner
