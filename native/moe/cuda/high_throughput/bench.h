#pragma once

#include <memory>
#include <vector>

#include "device/cuda/cuda_handles.h"
#include "moe/bench.h"
#include "moe/cuda/high_throughput/received.h"
#include "moe/cuda/high_throughput/staged_peers.h"
#include "moe/cuda/kernel_waits.h"
#include "moe/cuda/probe.h"
#include "moe/peer_links.h"

namespace railrunner::moe::cuda::high_throughput {

using moe::high_throughput::Options;
using railrunner::cuda::Buffer;
using railrunner::cuda::Event;
using railrunner::cuda::Stream;

SymmetricMap mapOf(const BenchOptions& options, const std::vector<Capacity>& capacities);

// The measured point on GPUs. Tokens lie in the symmetric buffer, as fp8 already quantised, before a call begins. Phases
// are timed as those of low latency: `host`, `graph` (not where a call waits on the host, for counts or the network),
// `event`; the samples of `event` come last, so that results() are theirs.
class CudaBench : public Bench {
 public:
  CudaBench(const BenchOptions& options, const std::vector<Capacity>& capacities, Routing routing,
            RunControl& control, uint32_t rank, int ordinal, std::shared_ptr<PeerLinks> links,
            std::shared_ptr<StagedPeers> staged);
  ~CudaBench() override;

  MeasuredPhases measure(const SampleProtocol& protocol, GateRef gate) override;
  ProbeRates probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                   int64_t deadlineNs) override;
  BenchResults results() const override;
  BenchFacts facts() const override;
  void close(Exchange* exchange, int64_t deadlineNs) override;

 private:
  friend class RoundTrip;
  friend class GraphReplay;

  bool isExpertMajor() const { return shape_.outputLayout == OutputLayout::kExpertMajor; }
  bool gathers() const { return ht_.strategy == Strategy::kAllGather; }
  // Sparse rows of rank-major dispatch are stored by their sources, where these reach all slots.
  bool pushes() const { return !gathers() && !isExpertMajor() && staged_ == nullptr; }
  // Whether tokens of other ranks come into slots of this one.
  bool hasSlots() const { return gathers() || pushes(); }
  bool leavesInSlots() const { return hasSlots() && !isExpertMajor(); }
  bool waitsForCounts() const { return ht_.receive != moe::high_throughput::Receive::kWorstCase; }
  bool isOverNetwork(uint32_t peer) const { return staged_ != nullptr && staged_->reaches(peer); }
  // Whether the next dispatch takes the layout of an earlier one.
  bool reuses() const { return ht_.reuseLayout && layoutEpoch_ != 0; }
  StorePlace storePlace() const;
  StreamPlace streamPlace(const ProbedPoint& point) const;
  void pointArguments(const std::vector<Capacity>& capacities);
  void beginCall();
  void queueDispatch();
  void launch(uint32_t phases, LaunchPlan plan, cudaStream_t stream);
  void queueBeside(uint32_t layout, uint32_t rows, bool waits);
  void wakeCopyEngines();
  void awaitRoom(cudaStream_t stream);
  void queueCombine();
  void stageTokens();
  void stageSums();
  void queueColdStart();
  void fillTokens(uint32_t salt);
  void poison();
  void poisonSlots();
  void finish(const char* call) { waits_.finish(call, stream_); }
  Error refusal(const WaitControl& waits, const std::string& call) const;
  uint64_t rowsInUse() const;
  PathBytes dispatchBytes() const;
  PathBytes combineBytes() const;
  std::vector<uint32_t> receivedFrom() const;
  std::vector<uint32_t> announcedTokens() const;
  void fetchGathered(BenchResults& copy) const;

  const BenchOptions options_;
  const Shape shape_;
  const Options ht_;
  const Routing routing_;
  const Capacity capacity_;
  RunControl& control_;
  const uint32_t rank_;
  const int ordinal_;
  const LaunchPlan plan_;
  PointProbe probe_;
  const std::shared_ptr<StagedPeers> staged_;  // null where every peer shares memory
  const LaunchPlan dispatchPlan_;
  const std::shared_ptr<PeerLinks> links_;
  KernelWaits waits_;
  Stream stream_;
  Stream side_;  // positions are computed while rows come
  Event forked_;
  Event joined_;
  CudaReceived received_;
  Buffer tokens_;  // fp8: bf16 [maxDispatchTokensPerRank, paddedHidden] before they are quantised
  Buffer work_;
  Buffer y_;         // expert-major: bf16 [capacity.rows, paddedHidden]
  Buffer combined_;  // bf16 [maxDispatchTokensPerRank, paddedHidden]
  Buffer flush_;
  Buffer epochBase_;
  Buffer report_;  // NeedReport, pinned
  CallArguments arguments_{};
  BarrierArguments barrier_{};
  uint32_t epoch_ = 0;
  uint32_t layoutEpoch_ = 0;  // of the dispatch whose layout is here
  uint32_t generation_ = 0;
  uint32_t salt_ = 0;
  uint32_t probeSalt_ = 0;
  double dispatchFirstUs_ = 0;
  double combineFirstUs_ = 0;
};

}  // namespace railrunner::moe::cuda::high_throughput
