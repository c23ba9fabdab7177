#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "device/cuda/cuda_handles.h"
#include "moe/cuda/high_throughput/arguments.h"
#include "moe/cuda/low_latency/kernels.h"
#include "test/moe/high_throughput_reference.h"
#include "test/support/named_cases.h"

// Ranks of a high-throughput exchange inside one process: a stream each, distributed over the available GPUs, so
// that one GPU is enough for any number of them.
namespace railrunner::test {

namespace ht = moe::cuda::high_throughput;
using cuda::Buffer;
using cuda::check;
using cuda::Stream;

constexpr uint8_t kPoison = moe::kPoisonByte;

struct Setting {
  Shape shape;
  uint32_t alignment = 1;
  bool weighted = true;
  ht::Strategy strategy = ht::Strategy::kSparse;
  uint32_t processors = 3;
  bool pushed = false;  // sources store rows into slots
  uint32_t pushBlocks = 2;
  uint32_t pushPieces = 0;    // of a row, at least
  uint32_t gatherPieces = 0;  // copy engines bring expert-major rows in as many while they are moved
  bool pushedSums = false;    // hosts store sums into slots
  bool skewed = false;
  bool full = false;        // every rank has as many tokens as there may be, and every choice is one
  ht::Capacity capacity{};  // 0: the worst case
};

inline int gpuCount() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

// All GPUs reach each other's memory.
inline void connectGpus() {
  for (int from = 0; from < gpuCount(); ++from) {
    check(cudaSetDevice(from), "cudaSetDevice");
    for (int to = 0; to < gpuCount(); ++to) {
      if (to != from && cudaDeviceEnablePeerAccess(to, 0) == cudaErrorPeerAccessAlreadyEnabled)
        cudaGetLastError();
    }
  }
}

template <class T>
std::vector<T> fetched(const T* device, uint64_t count) {
  std::vector<T> values(count);
  if (count != 0)
    check(cudaMemcpy(values.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
  return values;
}

struct Rank {
  int device;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Stream> side;
  std::unique_ptr<cuda::Event> forked;
  std::unique_ptr<cuda::Event> joined;
  Buffer symmetric, work, control, report, out, y;
  std::vector<Buffer> parts;
  ht::CallArguments arguments{};
  ht::LaunchPlan plan;
  ht::PushPlan push;

  void enter() const { check(cudaSetDevice(device), "cudaSetDevice"); }
  void finish() const {
    enter();
    check(cudaStreamSynchronize(*stream), "cudaStreamSynchronize");
    check(cudaStreamSynchronize(*side), "cudaStreamSynchronize");
  }
};

class Ranks {
 public:
  explicit Ranks(const Setting& setting) : setting_(setting) {
    const Shape& s = setting_.shape;
    moe::high_throughput::Options options;
    options.expertAlignment = setting_.alignment;
    capacity_ = moe::high_throughput::worstCaseCapacity(s, options);
    if (setting_.capacity.tokens != 0) capacity_ = setting_.capacity;
    for (uint32_t r = 0; r < s.worldSize; ++r) ranks_.push_back(makeRank(r));
    for (Rank& rank : ranks_) {
      for (uint32_t peer = 0; peer < s.worldSize; ++peer) {
        rank.arguments.base[peer] = ranks_[peer].symmetric.as<std::byte>();
        rank.arguments.room[peer] = capacity_;
      }
    }
  }
  ~Ranks() {
    for (Rank& rank : ranks_) {
      rank.control.as<moe::cuda::WaitControl>()->abort = 1;
      cudaSetDevice(rank.device);
      cudaStreamSynchronize(*rank.side);
      cudaStreamSynchronize(*rank.stream);
    }
  }

  Rank& operator[](uint32_t rank) { return ranks_[rank]; }
  const Shape& shape() const { return setting_.shape; }
  const Setting& setting() const { return setting_; }
  const ht::Capacity& capacity() const { return capacity_; }
  moe::cuda::WaitControl& control(uint32_t rank) {
    return *ranks_[rank].control.as<moe::cuda::WaitControl>();
  }

  // Every rank's tokens into its symmetric memory, and outputs poisoned.
  void fill(const std::vector<SourceTokens>& all) {
    for (uint32_t r = 0; r < ranks_.size(); ++r) {
      Rank& rank = ranks_[r];
      rank.enter();
      const ht::SymmetricMap& map = rank.arguments.map;
      rank.arguments.numTokens = all[r].numTokens;
      const uint32_t slot = map.slots > 1 ? r : 0;
      put(rank, map.ids, all[r].ids);
      put(rank, map.weights, all[r].weights);
      put(rank, map.xOffset(shape(), slot), all[r].x);
      if (map.scaleBytes != 0) {
        std::vector<float> padded(static_cast<size_t>(shape().maxDispatchTokensPerRank) * map.scaleBytes / 4);
        for (uint32_t t = 0; t < shape().maxDispatchTokensPerRank; ++t) {
          std::copy_n(all[r].scales.data() + static_cast<size_t>(t) * shape().numScales(),
                      shape().numScales(), padded.data() + static_cast<size_t>(t) * map.scaleBytes / 4);
        }
        put(rank, map.scalesOffset(shape(), slot), padded);
      }
      for (Buffer& part : rank.parts) check(cudaMemset(part.as(), kPoison, part.bytes()), "cudaMemset");
      check(cudaMemset(rank.out.as(), kPoison, rank.out.bytes()), "cudaMemset");
      check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    }
  }

  // What the experts of every rank return, where combine reads it.
  void fillOutputs(const std::vector<ExpectedRows>& expected) {
    const bool rankMajor = shape().outputLayout == OutputLayout::kRankMajor;
    for (uint32_t r = 0; r < ranks_.size(); ++r) {
      const uint64_t rows = rankMajor ? expected[r].sourceToken.size() : expected[r].rowToken.size();
      std::vector<uint16_t> y(rows * shape().paddedHidden());
      for (uint64_t i = 0; i < y.size(); ++i) {
        y[i] = expertOutput(r, static_cast<uint32_t>(i / shape().paddedHidden()),
                            static_cast<uint32_t>(i % shape().paddedHidden()));
      }
      ranks_[r].enter();
      if (rankMajor) {
        put(ranks_[r], ranks_[r].arguments.map.y, y);
      } else if (!y.empty()) {
        check(cudaMemcpy(ranks_[r].y.as(), y.data(), 2 * y.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
      }
    }
  }

  void begin() {
    ++epoch_;
    for (Rank& rank : ranks_) rank.arguments.epoch = epoch_;
  }
  uint32_t epoch() const { return epoch_; }
  void useLayout(uint32_t epoch) {
    for (Rank& rank : ranks_) rank.arguments.layout = epoch;
  }
  void queueDispatch(uint32_t rank, uint32_t phases) {
    ranks_[rank].enter();
    ranks_[rank].arguments.phases = phases;
    ht::launchDispatch(ranks_[rank].arguments, ranks_[rank].plan, *ranks_[rank].stream);
  }
  // Blocks that push rows into slots, and `blocks` others of the same launch that compute positions if the phases say so.
  void queuePush(uint32_t which, uint32_t phases, uint32_t blocks) {
    Rank& rank = ranks_[which];
    rank.enter();
    rank.arguments.phases = phases;
    rank.arguments.gathered = 1;
    ht::LaunchPlan plan = rank.plan;
    plan.blocks = blocks;
    plan.push = rank.push;
    ht::launchDispatch(rank.arguments, plan, *rank.stream);
  }
  void queuePush(uint32_t which) { queuePush(which, ht::kAnnounce, 0); }
  // Copy engines bring rows into slots while `phases` run.
  void queueCopied(uint32_t which, uint32_t phases) {
    Rank& rank = ranks_[which];
    rank.enter();
    rank.arguments.gathered = 1;
    rank.forked->record(*rank.stream);
    rank.arguments.phases = ht::kAnnounce;
    ht::queueGather(rank.arguments, *rank.stream);
    rank.forked->gate(*rank.side);
    rank.arguments.phases = phases;
    ht::launchDispatch(rank.arguments, rank.plan, *rank.side);
    rank.joined->record(*rank.side);
    rank.joined->gate(*rank.stream);
  }
  void queueCombine(uint32_t rank, uint32_t phases) {
    ranks_[rank].enter();
    ranks_[rank].arguments.phases = phases;
    ht::launchCombine(ranks_[rank].arguments, ranks_[rank].plan, *ranks_[rank].stream);
  }
  void dispatch(uint32_t phases) {
    for (uint32_t r = 0; r < ranks_.size(); ++r) queueDispatch(r, phases);
  }
  void combine(uint32_t phases) {
    for (uint32_t r = 0; r < ranks_.size(); ++r) queueCombine(r, phases);
  }
  // Bounded: a wait that never ends fails the case.
  void finish() {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (Rank& rank : ranks_) {
      rank.enter();
      while (cudaStreamQuery(*rank.stream) == cudaErrorNotReady) {
        if (std::chrono::steady_clock::now() > patience) endWaits();
        std::this_thread::yield();
      }
      rank.finish();
    }
  }
  void endWaits() {
    for (Rank& rank : ranks_) {
      reinterpret_cast<volatile uint32_t&>(rank.control.as<moe::cuda::WaitControl>()->abort) = 1;
    }
  }
  uint32_t combinePhases() const {
    return shape().outputLayout == OutputLayout::kRankMajor ? ht::kAnnounce | ht::kPull
                                                            : ht::kAnnounce | ht::kPartials | ht::kPull;
  }

 private:
  template <class T>
  void put(const Rank& rank, uint64_t offset, const std::vector<T>& values) {
    if (values.empty()) return;
    check(cudaMemcpy(rank.symmetric.as<std::byte>() + offset, values.data(), values.size() * sizeof(T),
                     cudaMemcpyHostToDevice),
          "cudaMemcpy");
  }

  Rank makeRank(uint32_t r) {
    const Shape& s = setting_.shape;
    Rank rank;
    rank.device = static_cast<int>(r) % gpuCount();
    rank.enter();
    ht::prepareKernels();
    rank.stream = std::make_unique<Stream>();
    rank.side = std::make_unique<Stream>();
    rank.forked = std::make_unique<cuda::Event>(cuda::Event::Use::kOrder);
    rank.joined = std::make_unique<cuda::Event>(cuda::Event::Use::kOrder);
    rank.plan = ht::launchPlan(s, setting_.processors);
    ht::CallArguments& a = rank.arguments;
    a.shape = s;
    a.capacity = capacity_;
    a.map = ht::symmetricMap(s, capacity_, setting_.strategy, {setting_.pushed, setting_.pushedSums});
    a.pushedSums = setting_.pushedSums ? 1 : 0;
    if (setting_.pushed) rank.push = ht::pushPlan(s, setting_.pushBlocks, setting_.pushPieces);
    a.gatherPieces = setting_.gatherPieces;
    a.expertAlignment = setting_.alignment;
    a.weighted = setting_.weighted ? 1 : 0;
    a.rank = r;
    const auto device = [&](uint64_t bytes) {
      Buffer buffer(Buffer::Place::kDevice, std::max<uint64_t>(bytes, 16));
      check(cudaMemset(buffer.as(), 0, buffer.bytes()), "cudaMemset");
      return buffer;
    };
    const auto part = [&]<class T>(T*& at, uint64_t count) {
      rank.parts.push_back(device(count * sizeof(T)));
      at = rank.parts.back().template as<T>();
    };
    rank.symmetric = device(a.map.totalBytes);
    const ht::WorkspaceMap work = ht::workspaceMap(s, rank.plan.blocks);
    rank.work = device(work.totalBytes);
    a.work = ht::workspaceAt(rank.work.as<std::byte>(), work);
    const uint64_t rows = moe::high_throughput::rowsOfX(s, capacity_);
    part(a.result.x, rows * s.payloadRowBytes());
    part(a.result.scales, s.payload == DispatchDtype::kFp8E4m3 ? rows * s.numScales() : 0);
    part(a.result.count, s.numLocalExperts());
    part(a.result.expertBegin, s.numLocalExperts() + 1);
    part(a.result.sourceBegin, s.worldSize + 1);
    part(a.result.rowToken, capacity_.rows);
    part(a.result.sourceToken, capacity_.tokens);
    part(a.result.tokenRow, capacity_.tokens * s.numTopk);
    part(a.result.tokenExpert, capacity_.tokens * s.numTopk);
    part(a.result.tokenWeight, capacity_.tokens * s.numTopk);
    rank.out = device(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.bf16RowBytes());
    rank.y = device(s.outputLayout == OutputLayout::kExpertMajor ? capacity_.rows * s.bf16RowBytes() : 0);
    a.out = rank.out.as<uint16_t>();
    a.y = rank.y.as<uint16_t>();
    rank.control = Buffer(Buffer::Place::kPinned, sizeof(moe::cuda::WaitControl));
    rank.report = Buffer(Buffer::Place::kPinned, sizeof(ht::NeedReport));
    std::memset(rank.control.as(), 0, rank.control.bytes());
    std::memset(rank.report.as(), 0, rank.report.bytes());
    a.control = rank.control.as<moe::cuda::WaitControl>();
    a.report = rank.report.as<ht::NeedReport>();
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    return rank;
  }

  const Setting setting_;
  ht::Capacity capacity_;
  std::vector<Rank> ranks_;
  uint32_t epoch_ = 0;
};

}  // namespace railrunner::test
