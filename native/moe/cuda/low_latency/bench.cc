#include "moe/cuda/low_latency/bench.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "moe/cuda/content.h"
#include "moe/cuda/low_latency/launch.h"
#include "moe/cuda/low_latency/open.h"
#include "moe/cuda/waits.h"
#include "moe/payload.h"

namespace railrunner::moe::cuda {

using railrunner::cuda::check;
using railrunner::cuda::copyToDevice;
using railrunner::cuda::makeCurrent;

namespace {

constexpr uint64_t kFlushBytes = 256ULL << 20;  // more than any L2 cache of today
constexpr uint32_t kGuardBytes = 256;           // bulk copies may read scales up to the next 16 bytes

Buffer deviceBuffer(uint64_t bytes) {
  Buffer buffer(Buffer::Place::kDevice, bytes + kGuardBytes);
  check(cudaMemset(buffer.as(), 0, bytes + kGuardBytes), "cudaMemset");
  return buffer;
}

template <class T>
Buffer uploaded(const std::vector<T>& values) {
  Buffer buffer = deviceBuffer(values.size() * sizeof(T));
  copyToDevice(buffer.as(), values.data(), values.size() * sizeof(T));
  return buffer;
}

}  // namespace

template <class T>
T* CudaResult::place(uint64_t count) {
  buffers_.push_back(deviceBuffer(count * sizeof(T)));
  return buffers_.back().as<T>();
}

CudaResult::CudaResult(const Shape& s, bool forwards) {
  const uint64_t messages = s.maxReceivedTokens();
  view_.x = place<uint8_t>(s.resultRows() * s.payloadRowBytes());
  view_.scales = place<float>(s.payload == DispatchDtype::kFp8E4m3 ? s.resultRows() * s.numScales() : 0);
  view_.count = place<int32_t>(std::max(s.numLocalExperts(), s.worldSize));
  view_.sourceToken = place<int32_t>(s.resultRows());
  view_.layoutRange = place<uint64_t>(static_cast<uint64_t>(s.numLocalExperts()) * s.worldSize);
  view_.messageCount = place<int32_t>(s.worldSize);
  view_.messageToken = place<int32_t>(messages);
  view_.messageRow = place<int32_t>(messages * s.numTopk);
  view_.messageWeight = place<float>(messages * s.numTopk);
  view_.ownRow = place<int32_t>(static_cast<uint64_t>(s.maxDispatchTokensPerRank) * s.numTopk);
  view_.tokenCount = place<int32_t>(s.worldSize);
  view_.relayHosts = place<uint32_t>(forwards ? messages : 0);
}

CudaBench::CudaBench(const BenchOptions& options, Routing routing, RunControl& control, uint32_t rank,
                     int ordinal, const LaunchShape& launch, std::shared_ptr<PeerLinks> links,
                     std::shared_ptr<NetworkBlocks> blocks)
    : options_(options),
      shape_(options.shape),
      routing_(std::move(routing)),
      control_(control),
      rank_(rank),
      ordinal_(ordinal),
      launch_(launch),
      rails_(rank, shape_.worldSize, options.nodeOfRank),
      blocks_(std::move(blocks)),
      probe_(shape_.worldSize, options.numProxies),
      links_(std::move(links)),
      result_(shape_, rails_.forwards()),
      x_(deviceBuffer(shape_.maxDispatchTokensPerRank * shape_.bf16RowBytes())),
      topkIdx_(uploaded(routing_.topkIdx)),
      weights_(uploaded(routing_.topkWeights)),
      y_(deviceBuffer(shape_.zeroCopy ? 0 : shape_.resultRows() * shape_.bf16RowBytes())),
      combined_(deviceBuffer(shape_.maxDispatchTokensPerRank * shape_.bf16RowBytes())),
      flush_(deviceBuffer(kFlushBytes)),
      epochBase_(deviceBuffer(sizeof(uint32_t))),
      waits_(Buffer::Place::kPinned, sizeof(WaitControl)) {
  prepareKernels();
  prepareContent();
  // -1: not known before the first dispatch.
  check(cudaMemset(result_.view().count, 0xff, numGroups() * sizeof(int32_t)), "cudaMemset");
  std::memset(waits_.as(), 0, sizeof(WaitControl));
  pointArguments();
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

void CudaBench::pointArguments() {
  KernelArguments& a = arguments_;
  a.shape = shape_;
  a.map = mapOf(options_);
  a.rank = rank_;
  a.numTokens = routing_.numTokens;
  a.slices = launch_.slices;
  void* mapped = nullptr;
  check(cudaHostGetDevicePointer(&mapped, waits_.as(), 0), "cudaHostGetDevicePointer");
  a.control = static_cast<WaitControl*>(mapped);
  a.x = x_.as<uint16_t>();
  a.topkIdx = topkIdx_.as<int32_t>();
  a.topkWeights = weights_.as<float>();
  a.result = result_.view();
  a.out = combined_.as<uint16_t>();
  barrier_.worldSize = shape_.worldSize;
  barrier_.control = a.control;
  barrier_.mine = reinterpret_cast<const uint64_t*>(links_->buffer->local() + a.map.barrier);
  for (uint32_t peer = 0; peer < shape_.worldSize; ++peer) {
    a.from[peer] = links_->buffer->local() + blockOffset(a.map, peer);
    std::byte* base = links_->buffer->bases()[peer];
    if (base == nullptr) continue;
    a.to[peer] = base + blockOffset(a.map, rank_);
    barrier_.theirs[peer] = reinterpret_cast<uint64_t*>(base + a.map.barrier) + rank_;
  }
  if (links_->network == nullptr) return;
  blocks_->connect(*links_->network, links_->region, rails_, a);
}

CudaBench::~CudaBench() {
  // A kernel that still spins (after a failure) must not outlive its memory.
  if (waits_.as() != nullptr) std::atomic_ref<uint32_t>(waits_.as<WaitControl>()->abort).store(1);
  cudaSetDevice(ordinal_);
  cudaStreamSynchronize(stream_);
}

void CudaBench::beginCall() {
  arguments_.epoch = ++epoch_;
  arguments_.epochBase = nullptr;
  const TestSeam& seam = options_.seam;
  arguments_.seam.relaxedFlags = seam.publishWithoutRelease ? 1 : 0;
  arguments_.seam.delaySeed = seam.publishWithoutRelease ? 1 + rank_ : 0;
  arguments_.seam.silent = seam.silentFromEpoch != 0 && epoch_ >= seam.silentFromEpoch ? 1 : 0;
  arguments_.seam.corrupt = seam.corruptFromEpoch != 0 && epoch_ >= seam.corruptFromEpoch ? 1 : 0;
  arguments_.seam.wrongWord = seam.wrongWord;
  arguments_.y = shape_.zeroCopy
                     ? reinterpret_cast<const uint16_t*>(links_->buffer->local() + arguments_.map.zeroCopy +
                                                         (epoch_ & 1U) * arguments_.map.zeroCopyBytes)
                     : y_.as<uint16_t>();
}

void CudaBench::queueDispatch(uint32_t phases) {
  if ((phases & kSend) != 0) ++dispatches_;
  arguments_.phases = phases;
  arguments_.sendBlocks = launch_.dispatchSendBlocks;
  arguments_.groups = launch_.dispatchGroups;
  launchDispatch(arguments_, launch_.dispatchBlocks, stream_);
}

void CudaBench::queueCombine(uint32_t phases) {
  if ((phases & kSend) != 0) ++combines_;
  arguments_.phases = phases;
  arguments_.sendBlocks = launch_.combineSendBlocks;
  arguments_.groups = launch_.combineGroups;
  launchCombine(arguments_, launch_.combineBlocks, stream_);
}

// Between beginCall() of a combine and the combine: the experts write where it reads.
void CudaBench::queueExperts() {
  launchExperts(shape_, rank_, result_.view(), const_cast<uint16_t*>(arguments_.y), stream_);
}

void CudaBench::queueColdStart() {
  check(cudaMemsetAsync(flush_.as(), static_cast<int>(generation_ & 0xffU), kFlushBytes, stream_),
        "cudaMemsetAsync");
  launchBarrier(barrier_, ++generation_, stream_);
}

void CudaBench::fillTokens(uint32_t salt) {
  salt_ = salt;
  launchFillTokens(shape_, options_.seed, salt, rank_, routing_.numTokens, x_.as<uint16_t>(), stream_);
}

// Outputs of earlier samples must not pass for the last one's, and what lies behind its rows must not change.
void CudaBench::poison() {
  finish("preparing the last sample");
  const DispatchResult& result = result_.view();
  std::vector<int32_t> count;
  fetch(count, result.count, numGroups());
  const auto set = [&](void* data, uint64_t bytes) {
    check(cudaMemsetAsync(data, kPoisonByte, bytes, stream_), "cudaMemsetAsync");
  };
  for (uint32_t group = 0; group < numGroups(); ++group) {
    const uint64_t rows = rowsToPoison(count[group], rowsOfGroup());
    const uint64_t first = group * rowsOfGroup();
    set(result.x + first * shape_.payloadRowBytes(), rows * shape_.payloadRowBytes());
    set(result.sourceToken + first, rows * sizeof(int32_t));
    if (shape_.payload == DispatchDtype::kFp8E4m3) {
      set(result.scales + first * shape_.numScales(), rows * shape_.numScales() * sizeof(float));
    }
  }
  set(result.count, numGroups() * sizeof(int32_t));
  set(combined_.as(), shape_.maxDispatchTokensPerRank * shape_.bf16RowBytes());
}

void CudaBench::finish(const char* call) {
  done_.record(stream_);
  try {
    waitUntil(
        [this] {
          if (done_.isPast() || hasEndedWait()) return true;
          tellAwaited();
          if (links_->network == nullptr) return false;
          links_->network->progress();
          links_->network->throwIfPeerLost();
          return done_.isPast();
        },
        control_, 0, "the GPU");
  } catch (const Error& error) {
    // A proxy that is told to stop while it sends gives its peer up as lost: the word came first.
    const bool isTold = control_.abort.load(std::memory_order_relaxed) != 0;
    const bool isLost = error.code() == ErrorCode::kNetwork;
    if (error.code() == ErrorCode::kAborted || (isTold && isLost)) throwAborted(call);
    if (isLost) endWaits();
    throw;
  }
  throwIfRefused(call);
  if (toldAwaited_) control_.awaitedPeer.store(-1, std::memory_order_relaxed);
  toldAwaited_ = false;
  std::atomic_ref<uint32_t>(waits_.as<WaitControl>()->awaited).store(0, std::memory_order_relaxed);
}

bool CudaBench::hasEndedWait() {
  return std::atomic_ref<uint32_t>(waits_.as<WaitControl>()->failed).load(std::memory_order_acquire) != 0;
}

// A word of a peer that is out of bounds was not followed; other waits of the call may never end.
void CudaBench::throwIfRefused(const char* call) {
  if (!hasEndedWait()) return;
  endWaits();  // the fields hold once the kernels are over
  const auto& waits = *waits_.as<WaitControl>();
  control_.awaitedPeer.store(-1, std::memory_order_relaxed);
  throw Error(ErrorCode::kWrongData, std::string(call) + " (epoch " + std::to_string(waits.epoch) +
                                         "): " + describeRefusal(waits, shape_) +
                                         ": the memory was overwritten or published too early");
}

// Who hung is asked while kernels still wait.
void CudaBench::tellAwaited() {
  const uint32_t awaited = std::atomic_ref<uint32_t>(waits_.as<WaitControl>()->awaited).load();
  if (awaited == 0) return;
  control_.awaitedPeer.store(static_cast<int32_t>(awaited - 1), std::memory_order_relaxed);
  toldAwaited_ = true;
}

void CudaBench::endWaits() {
  std::atomic_ref<uint32_t>(waits_.as<WaitControl>()->abort).store(1, std::memory_order_release);
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
}

void CudaBench::throwAborted(const char* call) {
  auto* waits = waits_.as<WaitControl>();
  endWaits();
  std::string sentence = std::string(call) + " (epoch " + std::to_string(epoch_) + "): rank " +
                         std::to_string(rank_) + " was told to stop waiting";
  if (std::atomic_ref<uint32_t>(waits->failed).load(std::memory_order_acquire) != 0) {
    control_.awaitedPeer.store(static_cast<int32_t>(waits->rank), std::memory_order_relaxed);
    sentence = std::string(call) + " (epoch " + std::to_string(waits->epoch) + "): rank " +
               std::to_string(rank_) + " stopped waiting for " +
               describeWait(*waits, rank_, shape_.numLocalExperts());
  }
  throw Error(ErrorCode::kAborted, sentence);
}

BenchResults CudaBench::results() const {
  makeCurrent(ordinal_);
  const DispatchResult& result = result_.view();
  BenchResults copy;
  copy.salt = salt_;
  fetch(copy.count, result.count, numGroups());
  const uint64_t ranges =
      rankMajor() ? shape_.worldSize : static_cast<uint64_t>(shape_.numLocalExperts()) * shape_.worldSize;
  fetch(copy.layoutRange, result.layoutRange, ranges);
  for (uint32_t group = 0; group < numGroups(); ++group) {
    const auto rows =
        static_cast<uint64_t>(std::clamp<int64_t>(copy.count[group], 0, static_cast<int64_t>(rowsOfGroup())));
    const uint64_t first = group * rowsOfGroup();
    fetch(copy.x, result.x + first * shape_.payloadRowBytes(), rows * shape_.payloadRowBytes());
    fetch(copy.sourceToken, result.sourceToken + first, rows);
    if (shape_.payload == DispatchDtype::kFp8E4m3) {
      fetch(copy.scales, result.scales + first * shape_.numScales(), rows * shape_.numScales());
    }
    if (rows < rowsOfGroup()) {
      fetch(copy.guard, result.x + (first + rows) * shape_.payloadRowBytes(), shape_.payloadRowBytes());
    }
  }
  fetch(copy.combined, combined_.as<uint16_t>(),
        static_cast<uint64_t>(shape_.maxDispatchTokensPerRank) * shape_.paddedHidden());
  return copy;
}

BenchFacts CudaBench::facts() const {
  if (links_->network == nullptr) return {};
  return {links_->network->info().transport, "host"};
}

void CudaBench::close(Exchange* exchange, int64_t deadlineNs) {
  makeCurrent(ordinal_);
  endWaits();
  links_->close(exchange, deadlineNs);
}

}  // namespace railrunner::moe::cuda
