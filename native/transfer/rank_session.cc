#include "transfer/rank_session.h"

#include <algorithm>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/clock.h"
#include "kv/stream_copy.h"
#include "transfer/strategy_table.h"

#ifdef RAILRUNNER_CUDA
#include "transfer/cuda/cuda_copy_task.h"
#endif

namespace railrunner {

namespace {

// What a thread copies before it looks for the next piece, and between two looks at the abort word.
constexpr uint64_t kSpanBytes = 1U << 20;
// Below it both sides fit the caches next to the core, and stores past the caches only lose.
constexpr uint64_t kStreamingMinBytes = 4U << 20;

double lap(double& sinceUs) {
  const double now = nowUs();
  const double took = now - sinceUs;
  sinceUs = now;
  return took;
}

}  // namespace

std::unique_ptr<RankTransfer> RankTransfer::open(Exchange& exchange, RunControl& control, Device& device,
                                                 RankTransferOptions options, int64_t deadlineNs) {
  return std::make_unique<RankSession>(exchange, control, device, std::move(options), deadlineNs);
}

RankSession::RankSession(Exchange& exchange, RunControl& control, Device& device, RankTransferOptions options,
                         int64_t deadlineNs)
    : control_(control),
      device_(device),
      rank_(exchange.rank()),
      options_(std::move(options)),
      directory_(rank_, options_.op),
      dummyTarget_(8) {
  RankTransferSetup& setup = facts_.setup;
  double sinceUs = nowUs();
  std::vector<uint8_t> blob;
  Agreement(exchange, "registering pools", deadlineNs).run([&] {
    directory_.registerPools(options_.source, options_.target);
    setup.registerUs = lap(sinceUs);
    blob = directory_.exportMetadata();
    setup.exportUs = lap(sinceUs);
  });
  setup.metadataBytes = blob.size();
  sinceUs = nowUs();
  directory_.exchange(exchange, blob, options_.moves, deadlineNs);
  setup.importUs = lap(sinceUs);
  const std::exception_ptr failure = attempt([&] { connect(exchange, deadlineNs); });
  setup.connectUs = lap(sinceUs);
  if (!failure) return;
  // An agreed failure lets the ranks take down together what they mapped of each other.
  bool together = false;
  try {
    std::rethrow_exception(failure);
  } catch (const AgreedError&) {
    together = true;
  } catch (...) {
    together = false;
  }
  static_cast<void>(attempt([&] { close(together ? &exchange : nullptr, deadlineNs); }));
  std::rethrow_exception(failure);
}

RankSession::~RankSession() {
  static_cast<void>(attempt([this] { close(nullptr, 0); }));
}

void RankSession::connect(Exchange& exchange, int64_t deadlineNs) {
  board_ = std::make_unique<NoticeBoard>(exchange, control_, options_.overNetwork, deadlineNs);
  // A failure of one rank is agreed before the region is, which is collective too.
  Agreement(exchange, "planning transfers", deadlineNs).run([&] {
    for (const PlannedMove& move : directory_.own()) addPart(move);
    for (const PlannedMove& move : directory_.ofPeers()) addPart(move);
    for (const TransferPart& part : parts_) requireStrategy(part);
    countFacts();
  });
  if (board_->network() != nullptr) {
    BlockPool* target = options_.target;
    const bool reached = std::ranges::any_of(parts_, [&](const TransferPart& part) {
      return part.arrivesHere && board_->isOverNetwork(part.peer);
    });
    void* base = reached ? static_cast<void*>(target->memory()) : dummyTarget_.data();
    const uint64_t bytes = reached ? target->layout().totalBytes : dummyTarget_.size() * 8;
    const DeviceKind kind = reached && !target->isHostMemory() ? DeviceKind::kCuda : DeviceKind::kHost;
    targetRegion_ = board_->registerTarget(exchange, base, bytes, kind, deadlineNs);
    facts_.networkTransport = board_->network()->info().transport;
  }
  Agreement(exchange, "mapping the peers' pools", deadlineNs).run([&] { makeTasks(); });
}

PartRole RankSession::roleOf(const PlannedMove& move) const {
  const bool own = move.initiator == rank_;
  const uint32_t other = own ? move.peer : move.initiator;
  const bool writes = options_.op == TransferOp::kWrite;
  if (!board_->isOverNetwork(other))
    return own ? PartRole::kCopies : writes ? PartRole::kReceives : PartRole::kIsRead;
  if (own) return writes ? PartRole::kWritesOut : PartRole::kReadsIn;
  return writes ? PartRole::kReceives : PartRole::kServes;
}

void RankSession::addPart(const PlannedMove& move) {
  TransferPart& part = parts_.emplace_back();
  part.move = move;
  part.role = roleOf(move);
  part.peer = move.initiator == rank_ ? move.peer : move.initiator;
  part.arrivesHere = directory_.registry().isLocal(move.target->handle);
  part.plan = compileMove(*move.source, *move.target, move.pages, kSpanBytes);
}

// The side of a peer that this rank reaches by a mapping counts as local: it is copied like own memory.
void RankSession::requireStrategy(const TransferPart& part) {
  const bool network = board_->isOverNetwork(part.peer);
  const LayoutRegistry& registry = directory_.registry();
  const auto side = [&](const PhysicalLayout& layout) {
    StorageKind kind = layout.location;
    // Device memory of the host device is host memory to whoever copies.
    if (kind == StorageKind::kDevice && device_.kind() == DeviceKind::kHost) kind = StorageKind::kPinned;
    return TransferSide{kind, network && !registry.isLocal(layout.handle)};
  };
  const TransferStrategy strategy = strategyFor(side(*part.move.source), side(*part.move.target), {});
  if (network && strategy.isTwoHop()) {
    throw Error(
        ErrorCode::kUnsupportedHere,
        "transfer between rank " + std::to_string(rank_) + " and rank " + std::to_string(part.peer) +
            " over the network: `" + strategy.text() +
            "` is not built for device memory of a GPU; use pools of the host tier, or ranks of one node");
  }
  if (part.isOwn()) {
    const char* path = part.peer == rank_ ? " in own memory"
                       : network          ? " over the network"
                                          : " over mapped memory";
    facts_.strategies.push_back(strategy.text() + path);
  }
}

void RankSession::countFacts() {
  for (const TransferPart& part : parts_) {
    if (part.isOwn()) {
      facts_.numRegions += part.plan.numRegions;
      facts_.numPieces += part.plan.spans.size();
      facts_.bytes.payload += part.plan.payloadBytes;
    }
    if (part.role == PartRole::kCopies)
      (part.peer == rank_ ? facts_.bytes.self : facts_.bytes.ipc) += part.plan.payloadBytes;
    if (part.role == PartRole::kWritesOut || part.role == PartRole::kServes)
      facts_.bytes.network += part.plan.payloadBytes;
  }
}

std::byte* RankSession::memoryOf(const PhysicalLayout& layout) {
  if (directory_.registry().isLocal(layout.handle)) return reinterpret_cast<std::byte*>(layout.address);
  std::unique_ptr<BlockPool>& pool = mapped_[layout.handle];
  if (pool) return pool->memory();
  const bool onDevice = layout.location == StorageKind::kDevice;
  if (!layout.share || layout.share->kind != (onDevice ? device_.kind() : DeviceKind::kHost)) {
    throw Error(ErrorCode::kUnsupportedHere,
                "layout " + layout.handle.text() + " of " + layout.owner +
                    ": its memory cannot be mapped here; its owner runs on another kind of device");
  }
  pool = std::make_unique<BlockPool>(device_, onDevice ? Tier::kDevice : Tier::kHost, layout.shape,
                                     layout.sectionBlocks, *layout.share, 1);
  return pool->memory();
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

void RankSession::makeTasks() {
  uint32_t numTasks = 0;
  uint64_t largest = 0;
  for (const TransferPart& part : parts_) {
    if (part.role == PartRole::kReceives || part.role == PartRole::kReadsIn || part.role == PartRole::kIsRead)
      continue;
    ++numTasks;
    largest = std::max(largest, part.plan.payloadBytes);
  }
  if (numTasks == 0) return;
  const uint32_t atOnce = std::clamp(numTasks, 1U, std::max(1U, options_.maxConcurrentTransfers));
  threads_ = std::make_unique<TaskThreads>(control_, atOnce, std::max(1U, options_.threads / atOnce),
                                           canStreamCopy() && largest >= kStreamingMinBytes);
  bool planted = options_.fault == MoveFault::kNone;
  for (TransferPart& part : parts_) {
    if (part.role == PartRole::kReceives || part.role == PartRole::kReadsIn || part.role == PartRole::kIsRead)
      continue;
    part.tasks[0] = makeTask(part, PartPlan::kMove);
    part.tasks[2] = makeTask(part, PartPlan::kProbe);
    if (!planted) part.tasks[1] = makeTask(part, PartPlan::kFaulty);
    planted = true;
  }
}

std::unique_ptr<CopyTask> RankSession::makeTask(TransferPart& part, PartPlan which) {
  auto plan = std::make_shared<CopyPlan>();
  if (which == PartPlan::kMove) *plan = part.plan;
  if (which == PartPlan::kProbe) *plan = probePlan(part);
  if (which == PartPlan::kFaulty)
    *plan = compileMove(*part.move.source, *part.move.target, part.move.pages, kSpanBytes, options_.fault);
  return part.role == PartRole::kCopies ? copyTask(part, std::move(plan), which)
                                        : sendTask(part, std::move(plan), which);
}

std::unique_ptr<CopyTask> RankSession::copyTask(TransferPart& part, std::shared_ptr<const CopyPlan> plan,
                                                PartPlan which) {
  std::byte* source = memoryOf(*part.move.source);
  std::byte* target = memoryOf(*part.move.target);
  // A planted early notification has been told already; of a read, the owner hears when it has been read.
  const bool tells = options_.op == TransferOp::kRead || which != PartPlan::kFaulty ||
                     options_.fault != MoveFault::kEarlyNotification;
  const uint32_t index = static_cast<uint32_t>(&part - parts_.data());
#ifdef RAILRUNNER_CUDA
  if (device_.kind() == DeviceKind::kCuda) {
    return cuda::makeCudaCopyTask(device_.ordinal(), *plan, source, target, options_.maxCtas,
                                  [this, index, tells] {
                                    if (tells) afterCopy(parts_[index]);
                                  });
  }
#endif
  return threads_->makeTask([this, index, source, target, plan, tells](SpanCopier& copier) {
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

std::unique_ptr<CopyTask> RankSession::sendTask(TransferPart& part, std::shared_ptr<const CopyPlan> plan,
                                                PartPlan which) {
  const std::byte* source = memoryOf(*part.move.source);
  const bool early = which == PartPlan::kFaulty && options_.fault == MoveFault::kEarlyNotification;
  const uint32_t index = static_cast<uint32_t>(&part - parts_.data());
  return threads_->makeTask([this, index, source, plan, early](SpanCopier&) {
    const TransferPart& of = parts_[index];
    NetworkPut put;
    put.peer = of.peer;
    put.slot = early ? NoticeBoard::kLateSlot : NoticeBoard::slotOf(Notice::kArrived);
    put.epoch = epoch_;
    put.region = targetRegion_;
    for (const CopySpan& span : plan->spans) {
      if (control_.abort.load(std::memory_order_relaxed) != 0)
        throw Error(ErrorCode::kAborted, "stopped while sending blocks");
      put.offset = span.targetOffset;
      put.data = source + span.sourceOffset;
      put.bytes = span.bytes;
      if (span.bytes > 0) board_->network()->put(put);
    }
    if (early) {
      board_->network()->push(of.peer);
    } else {
      board_->post(Notice::kArrived, of.peer, epoch_);
    }
  });
}

void RankSession::close(Exchange* exchange, int64_t deadlineNs) {
  if (!isOpen_) return;
  isOpen_ = false;
  drain();
  std::exception_ptr failure;
  const auto note = [&failure](const std::exception_ptr& thrown) {
    if (failure == nullptr) failure = thrown;
  };
  parts_.clear();
  threads_.reset();
  note(attempt([&] {
    if (board_) board_->close(exchange, deadlineNs);
  }));
  const auto unmap = [&] {
    for (auto& [handle, pool] : mapped_) pool->close();
    mapped_.clear();
  };
  // Owners free their pools behind this: nobody has them mapped any more.
  note(attempt([&] {
    if (exchange == nullptr) {
      unmap();
    } else {
      Agreement(*exchange, "closing the peers' pools", deadlineNs).run(unmap);
    }
  }));
  note(attempt([&] { directory_.close(); }));
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner
