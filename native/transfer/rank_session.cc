#include "transfer/rank_session.h"

#include <algorithm>
#include <string>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/byte_record.h"
#include "core/clock.h"
#include "core/name_list.h"
#include "transfer/strategy_table.h"

namespace railrunner {

namespace {

// Whether each of the transports in use, "tcp/eth0,rc_mlx5/mlx5_0:1", begins with one of those that are demanded.
bool isOnlyOver(const std::string& used, const std::string& demanded) {
  const std::vector<std::string> allowed = namesOf(demanded);
  return std::ranges::all_of(namesOf(used), [&](const std::string& name) {
    return std::ranges::any_of(allowed, [&](const std::string& one) { return name.starts_with(one); });
  });
}

std::optional<FaultKind> plantedOf(const InjectedFaults& faults) {
  for (const FaultKind kind : {FaultKind::kWrongSplit, FaultKind::kLostPiece, FaultKind::kTruncatedPiece,
                               FaultKind::kEarlyNotification, FaultKind::kEarlyDeviceNotification}) {
    if (faults.has(kind)) return kind;
  }
  return std::nullopt;
}

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
      fault_(plantedOf(options_.faults)),
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
  std::vector<uint8_t> shares;
  for (const uint8_t over : options_.overNetwork) shares.push_back(over == 0 ? 1 : 0);
  watch_ = ArrivalWatch::open(exchange, device_, shares, deadlineNs);
  // A failure of one rank is agreed before the region is, which is collective too.
  Agreement(exchange, "planning transfers", deadlineNs).run([&] {
    if (options_.bounceBytes < kMinBounceBytes) {
      throw Error(ErrorCode::kArgument, "bounceBytes: expected at least " + std::to_string(kMinBounceBytes) +
                                            ", received " + std::to_string(options_.bounceBytes));
    }
    if (board_->network() != nullptr) requireTransport();
    for (const PlannedMove& move : directory_.own()) addPart(move);
    for (const PlannedMove& move : directory_.ofPeers()) addPart(move);
    for (TransferPart& part : parts_) noteStrategy(part);
    countFacts();
  });
  if (board_->network() != nullptr) registerTarget(exchange, deadlineNs);
  Agreement(exchange, "mapping the peers' pools", deadlineNs).run([&] { makeTasks(); });
}

// Before anything is sent: a run over another transport than the one that was asked for would be time spent in vain.
void RankSession::requireTransport() const {
  const std::string& used = board_->network()->info().transport;
  if (!options_.demandedTransports.empty() && !isOnlyOver(used, options_.demandedTransports)) {
    throw Error(ErrorCode::kTransport,
                "transport: demanded " + options_.demandedTransports + ", but UCX uses " + used +
                    ". Check UCX_TLS and UCX_NET_DEVICES, or that the devices are up (`railrunner doctor`)");
  }
}

// What network peers put into: the pool itself, or the bounce buffers in front of it.
void RankSession::registerTarget(Exchange& exchange, int64_t deadlineNs) {
  facts_.networkTransport = board_->network()->info().transport;
  uint64_t landingBytes = 0;
  bool reached = false;
  for (const TransferPart& part : parts_) {
    if (!part.arrivesHere || !board_->isOverNetwork(part.peer)) continue;
    if (part.lands) landingBytes += kBounceGroups * options_.bounceBytes;
    reached = reached || !part.lands;
  }
  void* base = dummyTarget_.data();
  uint64_t bytes = dummyTarget_.size() * 8;
  Agreement(exchange, "making bounce buffers", deadlineNs).run([&] {
    if (landingBytes > 0) landing_ = pinnedStorage(device_, landingBytes);
  });
  if (landing_) {
    base = landing_->data();
    bytes = landingBytes;
  } else if (reached) {
    base = options_.target->memory();
    bytes = options_.target->layout().totalBytes;
  }
  targetRegion_ = board_->registerTarget(exchange, base, bytes, DeviceKind::kHost, deadlineNs);
  shareLandings(exchange, deadlineNs);
}

// Tells each sender where its part lands, and learns it of the owners of the targets.
void RankSession::shareLandings(Exchange& exchange, int64_t deadlineNs) {
  const auto all = Agreement(exchange, "telling of bounce buffers", deadlineNs).run([&] {
    ByteWriter writer;
    std::vector<uint32_t> senders;
    for (const TransferPart& part : parts_) {
      if (part.arrivesHere && part.lands) senders.push_back(part.peer);
    }
    writer.number(static_cast<uint64_t>(options_.networkMemory));
    writer.number(options_.bounceBytes);
    writer.number(senders.size());
    for (const uint32_t sender : senders) writer.number(sender);
    return writer.data();
  });
  Agreement(exchange, "learning of bounce buffers", deadlineNs).run([&] {
    for (uint32_t peer = 0; peer < all.size(); ++peer) {
      ByteReader reader(all[peer], peer);
      if (reader.number() != static_cast<uint64_t>(options_.networkMemory) ||
          reader.number() != options_.bounceBytes)
        throw reader.fault("its networkMemory or bounceBytes differ from those of rank " +
                           std::to_string(rank_));
      const uint64_t count = reader.number();
      if (count > all.size()) throw reader.fault("more bounce buffers than ranks");
      for (uint64_t i = 0; i < count; ++i) {
        if (reader.number() == rank_) landingAt_[peer] = i * kBounceGroups * options_.bounceBytes;
      }
      reader.end();
    }
    for (const TransferPart& part : parts_) {
      if (!part.lands || part.arrivesHere || landingAt_.contains(part.peer)) continue;
      throw Error(ErrorCode::kWrongData,
                  "rank " + std::to_string(part.peer) + " has no bounce buffer for what this rank sends it");
    }
  });
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

// Whether the network does not reach that memory. Of the host device's it does, unless a bounce buffer is wanted.
bool RankSession::needsBounce(const PhysicalLayout& layout) const {
  if (layout.location != StorageKind::kDevice) return false;
  if (options_.networkMemory == NetworkMemory::kStaged) return true;
  return !layout.share || layout.share->kind == DeviceKind::kCuda;
}

// The side of a peer that this rank reaches by a mapping counts as local: it is copied like own memory.
void RankSession::noteStrategy(TransferPart& part) {
  const bool network = board_->isOverNetwork(part.peer);
  const LayoutRegistry& registry = directory_.registry();
  part.fills = network && needsBounce(*part.move.source);
  part.lands = network && needsBounce(*part.move.target);
  if ((part.fills || part.lands) && options_.networkMemory == NetworkMemory::kDevice) {
    throw Error(
        ErrorCode::kTransport,
        "transfer between rank " + std::to_string(rank_) + " and rank " + std::to_string(part.peer) +
            ": networkMemory device was demanded, but the network reads and writes host memory alone; "
            "use networkMemory auto, which goes through pinned memory");
  }
  const auto side = [&](const PhysicalLayout& layout, bool bounces) {
    StorageKind kind = layout.location;
    // Device memory of the host device is host memory for every copy.
    if (kind == StorageKind::kDevice && !bounces && device_.kind() == DeviceKind::kHost)
      kind = StorageKind::kPinned;
    return TransferSide{kind, network && !registry.isLocal(layout.handle)};
  };
  const TransferStrategy strategy =
      strategyFor(side(*part.move.source, part.fills), side(*part.move.target, part.lands), {});
  if (network) facts_.networkMemory = part.fills || part.lands ? "staged" : "host";
  if (!part.isOwn()) return;
  const char* path = part.peer == rank_ ? " in own memory"
                     : network          ? " over the network"
                                        : " over mapped memory";
  facts_.strategies.push_back(strategy.text() + path);
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

void RankSession::close(Exchange* exchange, int64_t deadlineNs) {
  if (!isOpen_) return;
  isOpen_ = false;
  drain();
  std::exception_ptr failure;
  const auto note = [&failure](const std::exception_ptr& thrown) {
    if (failure == nullptr) failure = thrown;
  };
  if (watch_) watch_->stop();
  parts_.clear();
  threads_.reset();
  bounceThreads_.reset();
  note(attempt([&] {
    if (board_) board_->close(exchange, deadlineNs);
  }));
  // No message of a peer comes into them any more.
  fillBuffers_.clear();
  note(attempt([&] {
    if (landing_) landing_->close();
  }));
  landing_.reset();
  note(attempt([&] {
    if (watch_) watch_->close(exchange, deadlineNs);
  }));
  watch_.reset();
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
