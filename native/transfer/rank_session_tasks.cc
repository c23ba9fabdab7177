#include <algorithm>

#include "kv/stream_copy.h"
#include "transfer/rank_session.h"

#ifdef RAILRUNNER_CUDA
#include "transfer/cuda/cuda_copy_task.h"
#endif

// Who copies what of a transfer between ranks: compiled once, before anything is measured.
namespace railrunner {

namespace {

// Below it both sides fit the caches next to the core, and stores past the caches only lose.
constexpr uint64_t kStreamingMinBytes = 4U << 20;
// Host device: copies of bounce buffers at once, one that fills and one that drains.
constexpr uint32_t kBounceThreads = 2;

bool copies(const TransferPart& part) {
  return part.role == PartRole::kCopies || part.role == PartRole::kWritesOut ||
         part.role == PartRole::kServes;
}

}  // namespace

void RankSession::makeThreads() {
  uint32_t numTasks = 0;
  uint64_t largest = 0;
  bool bounces = false;
  for (const TransferPart& part : parts_) {
    bounces = bounces || part.fills || part.lands;
    if (part.role != PartRole::kCopies) continue;
    ++numTasks;
    largest = std::max(largest, part.plan.payloadBytes);
  }
  if (bounces && device_.kind() == DeviceKind::kHost)
    bounceThreads_ = std::make_unique<TaskThreads>(control_, kBounceThreads, 1, false);
  turns_ = std::make_shared<SendTurns>(std::max(1U, options_.maxConcurrentTransfers));
  if (numTasks == 0) return;
  const uint32_t atOnce = std::clamp(numTasks, 1U, std::max(1U, options_.maxConcurrentTransfers));
  threads_ = std::make_unique<TaskThreads>(control_, atOnce, std::max(1U, options_.threads / atOnce),
                                           canStreamCopy() && largest >= kStreamingMinBytes);
}

void RankSession::makeTasks() {
  makeThreads();
#ifdef RAILRUNNER_CUDA
  if (device_.kind() == DeviceKind::kCuda) starts_ = std::make_shared<cuda::CopyLauncher>(device_.ordinal());
#endif
  if (fault_ == FaultKind::kEarlyDeviceNotification && !watch_) {
    throw Error(ErrorCode::kUnsupportedHere,
                "fault earlyDeviceNotification: the host device has one notification for all");
  }
  bool planted = !fault_;
  uint64_t landingOffset = 0;
  for (TransferPart& part : parts_) {
    if (part.arrivesHere && part.lands) {
      makeDrains(part, landingOffset);
      landingOffset += kBounceGroups * options_.bounceBytes;
      if (!planted && plantsEarly()) {
        planted = true;
        plantEarly(part);
      }
    }
    if (!copies(part)) continue;
    if (part.fills) {
      fillBuffers_.push_back(pinnedStorage(device_, kBounceGroups * options_.bounceBytes));
      part.fillBuffer = fillBuffers_.back()->data();
    }
    part.tasks[0] = makeTask(part, PartPlan::kMove);
    part.tasks[2] = makeTask(part, PartPlan::kProbe);
    if (planted) continue;
    planted = true;
    part.tasks[1] = makeTask(part, PartPlan::kFaulty);
    if (plantsEarly()) plantEarly(part);
  }
}

void RankSession::plantEarly(TransferPart& part) {
  part.plantsEarly = true;
  uint64_t* word = arrivalWordOf(part);
  if (word != nullptr) part.tells = tellTask(word);
}

// Set by the kernel that writes the bytes; null where no kernel does, or nobody's kernels are told.
uint64_t* RankSession::arrivalWordOf(const TransferPart& part) const {
  if (!watch_) return nullptr;
  if (part.arrivesHere) return watch_->wordFrom(part.peer);
  return part.role == PartRole::kCopies ? watch_->wordTo(part.peer) : nullptr;
}

std::shared_ptr<const CopyPlan> RankSession::planOf(const TransferPart& part, PartPlan which) const {
  auto plan = std::make_shared<CopyPlan>();
  if (which == PartPlan::kMove) *plan = part.plan;
  if (which == PartPlan::kProbe) *plan = probePlan(part);
  if (which == PartPlan::kFaulty)
    *plan = compileMove(*part.move.source, *part.move.target, part.move.pages, kSpanBytes, fault_);
  return plan;
}

CopyPlan RankSession::probePlan(const TransferPart& part) const {
  const uint64_t total = std::min(part.move.source->blocks.totalBytes, part.move.target->blocks.totalBytes);
  const uint64_t bytes = std::min(part.plan.payloadBytes, total);
  CopyPlan plan;
  plan.payloadBytes = bytes;
  for (uint64_t done = 0; done < bytes; done += kSpanBytes)
    plan.spans.push_back({done, done, std::min(kSpanBytes, bytes - done)});
  plan.batchEnds = {static_cast<uint32_t>(plan.spans.size())};
  return plan;
}

std::unique_ptr<CopyTask> RankSession::makeTask(TransferPart& part, PartPlan which) {
  std::shared_ptr<const CopyPlan> plan = planOf(part, which);
  return part.role == PartRole::kCopies ? copyTask(part, std::move(plan), which)
                                        : sendTask(part, std::move(plan), which);
}

std::unique_ptr<CopyTask> RankSession::copyTask(TransferPart& part, std::shared_ptr<const CopyPlan> plan,
                                                PartPlan which) {
  std::byte* source = memoryOf(*part.move.source);
  std::byte* target = memoryOf(*part.move.target);
  // A planted early notification has been told already; of a read, the owner hears when it has been read.
  const bool tells = options_.op == TransferOp::kRead || which != PartPlan::kFaulty ||
                     fault_ != FaultKind::kEarlyNotification;
  const auto index = static_cast<uint32_t>(&part - parts_.data());
#ifdef RAILRUNNER_CUDA
  if (device_.kind() == DeviceKind::kCuda) {
    cuda::CudaCopy copy;
    copy.ordinal = device_.ordinal();
    copy.chunks = {plan->spans};
    copy.source = source;
    copy.target = target;
    copy.maxCtas = options_.maxCtas;
    copy.arrivalWord = arrivalWordOf(part);
    copy.epoch = &epoch_;
    // Own memory is copied by a separate kernel: in one kernel with peers, writes to peers lost a tenth.
    if (part.peer != rank_) copy.launcher = std::static_pointer_cast<cuda::CopyLauncher>(starts_);
    copy.whenDone = [this, index, tells] {
      if (tells) afterCopy(parts_[index]);
    };
    return cuda::makeCudaCopyTask(std::move(copy));
  }
#endif
  return threads_->makeTask([this, index, source, target, plan, tells](SpanCopier& copier, uint32_t) {
    const uint64_t bytes = copier.copy(plan->spans, source, target, control_);
    uint64_t planned = 0;
    for (const CopySpan& span : plan->spans) planned += span.bytes;
    if (bytes != planned) {
      throw Error(ErrorCode::kState, "copies of " + std::to_string(bytes) +
                                         " bytes were issued, the plan says " + std::to_string(planned));
    }
    if (tells) afterCopy(parts_[index]);
  });
}

std::unique_ptr<CopyTask> RankSession::tellTask(uint64_t* word) {
#ifdef RAILRUNNER_CUDA
  cuda::CudaCopy copy;
  copy.ordinal = device_.ordinal();
  copy.chunks = {{}};
  copy.arrivalWord = word;
  copy.epoch = &epoch_;
  return cuda::makeCudaCopyTask(std::move(copy));
#else
  static_cast<void>(word);
  return nullptr;
#endif
}

BouncePlan RankSession::bounceOf(const CopyPlan& plan) const {
  BouncePlan bounce = planBounce(plan, options_.bounceBytes);
  if (bounce.chunks.size() > kMaxChunks) {
    throw Error(ErrorCode::kArgument, "bounceBytes: " + std::to_string(bounce.chunks.size()) +
                                          " chunks of one transfer, at most " + std::to_string(kMaxChunks) +
                                          "; use larger ones");
  }
  return bounce;
}

std::unique_ptr<Bounce> RankSession::makeBounce(BouncePlan plan, std::vector<std::vector<CopySpan>> chunks,
                                                const std::byte* source, std::byte* target,
                                                uint64_t* arrivalWord) {
  auto bounce = std::make_unique<Bounce>();
  bounce->plan = std::move(plan);
#ifdef RAILRUNNER_CUDA
  if (device_.kind() == DeviceKind::kCuda) {
    cuda::CudaCopy copy;
    copy.ordinal = device_.ordinal();
    copy.chunks.assign(chunks.begin(), chunks.end());
    copy.source = source;
    copy.target = target;
    copy.maxCtas = options_.maxCtas;
    copy.arrivalWord = arrivalWord;
    copy.epoch = &epoch_;
    bounce->copies = cuda::makeCudaCopyTask(std::move(copy));
    return bounce;
  }
#endif
  static_cast<void>(arrivalWord);
  bounce->copies = bounceThreads_->makeTask(
      [this, chunks = std::move(chunks), source, target](SpanCopier& copier, uint32_t chunk) {
        copier.copy(chunks[chunk], source, target, control_);
      });
  return bounce;
}

void RankSession::makeDrains(TransferPart& part, uint64_t landingOffset) {
  const auto drainOf = [&](PartPlan which) {
    const std::shared_ptr<const CopyPlan> plan = planOf(part, which);
    BouncePlan bounce = bounceOf(*plan);
    auto chunks = drainSpans(*plan, bounce);
    return std::make_unique<NetworkDrain>(
        part.peer, makeBounce(std::move(bounce), std::move(chunks), landing_->data() + landingOffset,
                              options_.target->memory(), arrivalWordOf(part)));
  };
  part.drains = {drainOf(PartPlan::kMove), drainOf(PartPlan::kProbe)};
}

std::unique_ptr<CopyTask> RankSession::sendTask(TransferPart& part, std::shared_ptr<const CopyPlan> plan,
                                                PartPlan which) {
  NetworkSend send;
  send.peer = part.peer;
  send.region = targetRegion_;
  send.plan = plan;
  send.turns = turns_;
  send.source = memoryOf(*part.move.source);
  send.slot = NoticeBoard::slotOf(Notice::kArrived);
  if (part.fills || part.lands) {
    // Cut as the right plan is, whatever was planted in this one.
    const BouncePlan cut = bounceOf(*planOf(part, which == PartPlan::kProbe ? which : PartPlan::kMove));
    if (part.fills) {
      send.fill = makeBounce(cut, fillSpans(*plan, cut), send.source, part.fillBuffer, nullptr);
      send.fill->base = part.fillBuffer;
    }
    if (part.lands) {
      send.landing = std::make_unique<BouncePlan>(cut);
      send.landingOffset = landingAt_.at(part.peer);
    }
  }
  // Where chunks land, their owner plants what comes too early.
  if (which == PartPlan::kFaulty && fault_ == FaultKind::kEarlyNotification && !part.lands)
    send.slot = NoticeBoard::kLateSlot;
  return makeSendTask(std::move(send), *board_, control_, epoch_);
}

}  // namespace railrunner
