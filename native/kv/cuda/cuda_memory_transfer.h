#pragma once

#include <memory>
#include <vector>

#include "device/cuda/cold_timer.h"
#include "kv/copy_plan.h"
#include "kv/cuda/copy_strategies.h"
#include "kv/cuda/device_copy.h"
#include "kv/transfer.h"

namespace railrunner::cuda {

// One or two directions between device and host tier, all on one device and one thread.
class CudaMemoryTransfer final : public Transfer {
 public:
  CudaMemoryTransfer(int ordinal, std::vector<LaneRequest> requests, const TransferOptions& options);

  std::vector<LaneFacts> facts() const override;
  MeasuredPhases measure(GateRef gate, const SampleProtocol& protocol, RunControl& control) override;
  ProbeResult probe(GateRef gate, RunControl& control) override;

 private:
  struct Lane {
    LaneRequest request;
    std::unique_ptr<DeviceCopy> copy;  // null until `auto` has chosen
    std::vector<std::vector<CopyRegion>> lists;
    DeviceCopyOptions options;
    LaneFacts facts;
    Stream stream;
    Event started;
    Event end{Event::Use::kTime};
    std::vector<double> timesUs;  // of this lane alone, one per iteration, warm-up included
  };
  class HostOperation;
  class EventOperation;
  class ProbeOperation;

  void addLane(LaneRequest request, const TransferOptions& options, bool bothDirections);
  // Faults that were injected, once, on the main stream.
  void commitFault();
  using Choice = std::vector<LaneChoice>;  // one for each lane

  void compileLanes(const Choice& choice);
  // What `auto` may use, the one it expects to be the quickest first.
  std::vector<Choice> choices() const;
  // `auto`: tries the choices, all lanes at once, and keeps the quickest. Overwrites targets.
  void tune(const RunControl& control);
  // Of few runs of what is compiled, microseconds.
  double quickestOfTrials(const RunControl& control);
  template <class Operation>
  void measureBy(const char* timing, GateRef gate, const SampleProtocol& protocol, RunControl& control,
                 MeasuredPhases& measured);
  void poisonTargets(const RunControl& control);
  cudaStream_t streamOf(size_t lane, cudaStream_t main) const;
  void forkLanes(cudaStream_t main);
  void joinLanes(cudaStream_t main);
  void issueAll(cudaStream_t main);
  bool fitsBehindHold() const;
  // Returns when nothing of this transfer is in flight any more.
  void drain();

  int ordinal_;
  std::vector<Lane> lanes_;
  std::unique_ptr<ColdTimer> timer_;
  InjectedFaults faults_;
  PieceTable strayPiece_;  // what kIllegalAccess copies
};

}  // namespace railrunner::cuda
