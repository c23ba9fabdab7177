#pragma once

#include <memory>

#include "device/cuda/cuda_handles.h"
#include "moe/bench.h"
#include "moe/cuda/low_latency/kernels.h"
#include "moe/cuda/low_latency/network_blocks.h"
#include "moe/cuda/probe.h"
#include "moe/peer_links.h"

namespace railrunner::moe::cuda {

using railrunner::cuda::Buffer;
using railrunner::cuda::Event;
using railrunner::cuda::Stream;

// Appends `count` elements of device memory.
template <class T>
void fetch(std::vector<T>& into, const T* device, uint64_t count) {
  const size_t before = into.size();
  into.resize(before + count);
  if (count != 0) {
    railrunner::cuda::check(
        cudaMemcpy(into.data() + before, device, count * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
  }
}

// A dispatch result in device memory of its own.
class CudaResult {
 public:
  CudaResult(const Shape& shape, bool forwards);
  const DispatchResult& view() const { return view_; }

 private:
  template <class T>
  T* place(uint64_t count);

  std::vector<Buffer> buffers_;
  DispatchResult view_;
};

// The measured point on GPUs, those of one node by stores to each other's memory, others over the network.
// Phases are timed three ways: `graph` (replays of captured calls, back to back), `host` (launch and
// completion by the clock) and `event` (device time, cold: L2 flushed, and directly before it a barrier of
// the GPUs that share memory). With split phases `graph` is left out. The samples of `event` come last, so
// that results() are theirs.
class CudaBench : public Bench {
 public:
  CudaBench(const BenchOptions& options, Routing routing, RunControl& control, uint32_t rank, int ordinal,
            const LaunchShape& launch, std::shared_ptr<PeerLinks> links,
            std::shared_ptr<NetworkBlocks> blocks);
  ~CudaBench() override;

  MeasuredPhases measure(const SampleProtocol& protocol, GateRef gate) override;
  ProbeRates probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                   int64_t deadlineNs) override;
  BenchResults results() const override;
  BenchFacts facts() const override;
  void close(Exchange* exchange, int64_t deadlineNs) override;

 private:
  friend class CudaRoundTrip;
  friend class GraphReplay;

  bool rankMajor() const { return shape_.outputLayout == OutputLayout::kRankMajor; }
  uint32_t numGroups() const { return rankMajor() ? shape_.worldSize : shape_.numLocalExperts(); }
  uint64_t rowsOfGroup() const {
    return rankMajor() ? shape_.maxDispatchTokensPerRank : shape_.maxReceivedTokens();
  }
  StorePlace storePlace() const;
  StreamPlace streamPlace(const ProbedPoint& point) const;
  void pointArguments();
  void beginCall();
  void queueDispatch(uint32_t phases);
  void queueCombine(uint32_t phases);
  void queueExperts();
  void queueColdStart();
  void fillTokens(uint32_t salt);
  void poison();
  // Until the stream is empty. When the rank is told to stop, ends the kernels' waits and throws kAborted
  // with what the first of them waited for.
  void finish(const char* call);
  bool sendsOverNetwork(uint32_t peer) const { return (arguments_.overNetwork >> peer & 1U) != 0; }
  void tellAwaited();
  bool hasEndedWait();
  // Throws kWrongData where a kernel was sent a word that it would not follow.
  void throwIfRefused(const char* call);
  // Ends the kernels' waits and returns when they have.
  void endWaits();
  [[noreturn]] void throwAborted(const char* call);
  std::vector<uint32_t> relayedHosts(uint32_t source) const;
  PathBytes dispatchBytes() const;
  PathBytes combineBytes() const;
  uint64_t issuedToNetwork() const;
  void requireCountedBytes(uint64_t before) const;

  const BenchOptions options_;
  const Shape shape_;
  const Routing routing_;
  RunControl& control_;
  const uint32_t rank_;
  const int ordinal_;
  const LaunchShape launch_;
  const Rails rails_;
  const std::shared_ptr<NetworkBlocks> blocks_;  // null where every peer shares memory
  PointProbe probe_;
  const std::shared_ptr<PeerLinks> links_;
  Stream stream_;
  Event done_;
  CudaResult result_;
  Buffer x_;         // bf16 [maxDispatchTokensPerRank, paddedHidden]
  Buffer topkIdx_;   // [numTokens, numTopk]
  Buffer weights_;   // [numTokens, numTopk]
  Buffer y_;         // bf16 [rows of x, paddedHidden]; unused with zeroCopy
  Buffer combined_;  // bf16 [maxDispatchTokensPerRank, paddedHidden]
  Buffer flush_;
  Buffer epochBase_;
  Buffer waits_;  // WaitControl, pinned
  KernelArguments arguments_{};
  BarrierArguments barrier_{};
  uint32_t epoch_ = 0;
  uint32_t generation_ = 0;
  uint32_t salt_ = 0;
  bool toldAwaited_ = false;
  uint32_t probeSalt_ = 0;
  uint64_t dispatches_ = 0;  // calls that have sent, graphs' replays among them
  uint64_t combines_ = 0;
};

}  // namespace railrunner::moe::cuda
