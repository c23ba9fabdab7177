#pragma once

#include <memory>

#include "device/cuda/cuda_handles.h"
#include "moe/bench.h"
#include "moe/cuda/kernels.h"
#include "moe/cuda/probe.h"
#include "peers/symmetric_buffer.h"

namespace railrunner::moe::cuda {

using railrunner::cuda::Buffer;
using railrunner::cuda::Event;
using railrunner::cuda::Stream;

// A dispatch result in device memory of its own.
class CudaResult {
 public:
  explicit CudaResult(const Shape& shape);
  const DispatchResult& view() const { return view_; }

 private:
  template <class T>
  T* place(uint64_t count);

  std::vector<Buffer> buffers_;
  DispatchResult view_;
};

// The measured point on GPUs of one node. Phases are timed three ways: `graph` (replays of captured calls,
// back to back), `host` (launch and completion by the clock) and `event` (device time, cold: L2 flushed,
// barrier of all ranks' GPUs directly before). With split phases `graph` is left out. The samples of `event`
// come last, so that results() are theirs.
class CudaBench : public Bench {
 public:
  CudaBench(const BenchOptions& options, Routing routing, RunControl& control, uint32_t rank, int ordinal,
            const LaunchShape& launch, std::unique_ptr<SymmetricBuffer> buffer);
  ~CudaBench() override;

  BenchSamples measure(const SampleProtocol& protocol, GateRef gate) override;
  ProbeRates probe(const ProbeRequest& request, Exchange& exchange, GateRef gate,
                   int64_t deadlineNs) override;
  BenchResults results() const override;
  NetworkUse networkUse() const override { return {}; }
  void close(Exchange* exchange, int64_t deadlineNs) override;

 private:
  friend class CudaRoundTrip;
  friend class GraphReplay;

  bool rankMajor() const { return shape_.outputLayout == OutputLayout::kRankMajor; }
  uint32_t numGroups() const { return rankMajor() ? shape_.worldSize : shape_.numLocalExperts(); }
  uint64_t rowsOfGroup() const { return rankMajor() ? shape_.maxTokens : shape_.maxReceivedTokens(); }
  StorePlace storePlace() const;
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
  [[noreturn]] void throwAborted(const char* call);
  ByteCounts dispatchBytes() const;
  ByteCounts combineBytes() const;

  const BenchOptions options_;
  const Shape shape_;
  const Routing routing_;
  RunControl& control_;
  const uint32_t rank_;
  const int ordinal_;
  const LaunchShape launch_;
  std::unique_ptr<SymmetricBuffer> buffer_;
  Stream stream_;
  Event done_;
  CudaResult result_;
  Buffer x_;         // bf16 [maxTokens, paddedHidden]
  Buffer topkIdx_;   // [numTokens, numTopk]
  Buffer weights_;   // [numTokens, numTopk]
  Buffer y_;         // bf16 [rows of x, paddedHidden]; unused with zeroCopy
  Buffer combined_;  // bf16 [maxTokens, paddedHidden]
  Buffer flush_;
  Buffer epochBase_;
  Buffer waits_;  // WaitControl, pinned
  KernelArguments arguments_{};
  uint32_t epoch_ = 0;
  uint32_t generation_ = 0;
  uint32_t salt_ = 0;
  uint32_t probeSalt_ = 0;
};

}  // namespace railrunner::moe::cuda
