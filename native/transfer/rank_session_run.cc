#include <algorithm>
#include <cstring>

#include "core/attempt.h"
#include "core/clock.h"
#include "core/pattern.h"
#include "core/wait.h"
#include "transfer/rank_session.h"

// The measured loop of a transfer between ranks.
namespace railrunner {

namespace {

// Places of an arrival that are looked at when it is seen, in the last sample.
constexpr size_t kLookedAt = 4096;
// A planted early notification holds the bytes back until the peer has looked, and no longer than this.
constexpr int64_t kFaultWaitNs = 5'000'000'000;
constexpr int kBouncePoison = 0xb7;

}  // namespace

// The one that is notified of the end of a copy over memory that this rank reaches.
void RankSession::afterCopy(const TransferPart& part) {
  if (part.peer == rank_) return;
  board_->post(options_.op == TransferOp::kWrite ? Notice::kArrived : Notice::kTaken, part.peer, epoch_);
}

// The planted early notification: the arrival is told before the copy, which waits until the peer has looked.
void RankSession::holdBack(TransferPart& part) {
  const bool reads = part.role == PartRole::kCopies && part.arrivesHere;
  const bool toCpu = fault_ == FaultKind::kEarlyNotification;
  part.step = TransferPart::Step::kHeld;
  part.heldUntilNs = reads ? 0 : nowNs() + kFaultWaitNs;
  tellDevice(part);
  if (!reads) {
    if (toCpu) board_->post(Notice::kArrived, part.peer, epoch_);
  } else if (toCpu) {
    noteArrival(part, true);
  } else {
    awaitDevice(part);
  }
}

void RankSession::tellDevice(TransferPart& part) {
  if (!part.tells) return;
  part.tells->start();
  waitUntil([&] { return part.tells->poll(); }, control_, 0, "a planted notification");
}

void RankSession::awaitDevice(const TransferPart& part) {
  if (!looksForEarly_ || !isWatched(part)) return;
  waitUntil([&] { return watch_->hasSeen(part.peer); }, control_, 0, "the device to see an arrival");
}

void RankSession::begin(PartPlan plan) {
  ++epoch_;
  plan_ = plan;
  postUs_ = wireUs_ = visibleUs_ = -1;
  for (TransferPart& part : parts_) {
    part.running = nullptr;
    part.hasPlanted = part.saidSeen = false;
    switch (part.role) {
      case PartRole::kCopies:
      case PartRole::kWritesOut:
        part.step = TransferPart::Step::kCopying;
        break;
      case PartRole::kReadsIn:
      case PartRole::kReceives:
        part.step = TransferPart::Step::kAwaitArrival;
        if (part.drains[0]) beginDrain(part);
        break;
      case PartRole::kServes:
        part.step = TransferPart::Step::kAwaitRequest;
        break;
      case PartRole::kIsRead:
        part.step = TransferPart::Step::kAwaitTaken;
        break;
    }
  }
}

void RankSession::start(TransferPart& part) {
  if (part.role == PartRole::kReadsIn) {
    board_->post(Notice::kRequested, part.peer, epoch_);
    return;
  }
  if (isFaulty(part) && part.plantsEarly && !part.hasPlanted && !part.lands) {
    part.hasPlanted = true;
    return holdBack(part);
  }
  part.step = TransferPart::Step::kCopying;
  part.running = part.tasks[plan_ == PartPlan::kProbe ? 2 : isFaulty(part) ? 1 : 0].get();
  part.running->start();
}

// The last ones are written last.
std::vector<uint64_t> RankSession::lookedAt(const TransferPart& part, size_t places) const {
  std::vector<uint64_t> offsets;
  const size_t count = part.plan.spans.size();
  const size_t step = std::max<size_t>(1, count / places);
  for (size_t i = 0; i < count; i += step) {
    const CopySpan& span = part.plan.spans[count - 1 - i];
    if (span.bytes >= sizeof(uint64_t)) offsets.push_back(span.targetOffset + span.bytes - sizeof(uint64_t));
  }
  return offsets;
}

std::string RankSession::earlyPlace(const TransferPart& part) const {
  const uint64_t poison = poisonWord(options_.target->poisonSalt());
  for (const uint64_t at : lookedAt(part, options_.target->isHostMemory() ? kLookedAt : kLookedAt / 64)) {
    uint64_t word = 0;
    options_.target->store().readBytes(at, &word, sizeof(word));
    if (word == poison)
      return placeOf(options_.target->layout(), at) + ", from rank " + std::to_string(part.peer);
  }
  return "";
}

// An arrival that is said to be whole must not hold poison any more, for CPUs and for kernels.
void RankSession::noteArrival(TransferPart& part, bool byDevice) {
  if (!looksForEarly_) return;
  if (early_.empty()) early_ = earlyPlace(part);
  if (!byDevice || !isWatched(part)) return;
  awaitDevice(part);
  const std::optional<uint64_t> address = watch_->early(part.peer);
  if (!address || !early_.empty()) return;
  const uint64_t at = *address - reinterpret_cast<uint64_t>(options_.target->memory());
  early_ =
      placeOf(options_.target->layout(), at) + ", seen by the device, from rank " + std::to_string(part.peer);
}

// Before the last sample: a consumer on the device for all that arrives.
void RankSession::watchArrivals() {
  if (!watch_) return;
  std::vector<WatchedArrival> arrivals;
  for (const TransferPart& part : parts_) {
    if (!isWatched(part)) continue;
    WatchedArrival& arrival = arrivals.emplace_back();
    arrival.peer = part.peer;
    for (const uint64_t at : lookedAt(part, kLookedAt))
      arrival.wordAddresses.push_back(reinterpret_cast<uint64_t>(options_.target->memory()) + at);
  }
  watch_->look(arrivals, epoch_ + 1, poisonWord(options_.target->poisonSalt()));
}

// They hold what the last iteration moved, which is what this one moves: a piece that is lost would not be missed.
void RankSession::poisonBounceBuffers() {
  const auto poison = [](const std::unique_ptr<RegisteredStorage>& storage) {
    std::memset(storage->data(), kBouncePoison, storage->bytes());
  };
  std::ranges::for_each(fillBuffers_, poison);
  if (landing_) poison(landing_);
}

void RankSession::beginDrain(TransferPart& part) {
  part.draining = part.drains[plan_ == PartPlan::kProbe ? 1 : 0].get();
  part.draining->begin(epoch_);
  part.step = TransferPart::Step::kDraining;
}

bool RankSession::advanceDrain(TransferPart& part) {
  if (plan_ == PartPlan::kFaulty && part.plantsEarly && !part.hasPlanted) {
    if (!part.draining->hasChunk(*board_)) return false;
    part.hasPlanted = true;
    tellDevice(part);
    if (fault_ == FaultKind::kEarlyNotification) noteArrival(part, true);
    awaitDevice(part);
  }
  const bool moved = part.draining->advance(*board_);
  if (!part.draining->isEnded()) return moved;
  part.draining = nullptr;
  noteArrival(part, true);
  board_->post(Notice::kTaken, part.peer, epoch_);
  part.step = TransferPart::Step::kEnded;
  return true;
}

// A planted notification to kernels alone waits for it; nobody else minds.
void RankSession::sayDeviceHasSeen(TransferPart& part) {
  if (!looksForEarly_ || part.saidSeen || !isWatched(part) || !watch_->hasSeen(part.peer)) return;
  part.saidSeen = true;
  board_->post(Notice::kTaken, part.peer, epoch_);
}

// Takes a part as far as it goes now. True where it came further.
bool RankSession::advance(TransferPart& part) {
  using Step = TransferPart::Step;
  switch (part.step) {
    case Step::kEnded:
      return false;
    case Step::kAwaitRequest:
      if (!board_->has(Notice::kRequested, part.peer, epoch_)) return false;
      start(part);
      return true;
    case Step::kHeld:
      if (!board_->has(Notice::kTaken, part.peer, epoch_) && nowNs() < part.heldUntilNs) return false;
      start(part);
      return true;
    case Step::kCopying:
      if (!part.running->poll()) return part.running->cameFurther();
      part.running = nullptr;
      if (part.arrivesHere) noteArrival(part, true);
      part.step = part.role == PartRole::kCopies ? Step::kEnded : Step::kAwaitTaken;
      return true;
    case Step::kDraining:
      return advanceDrain(part);
    case Step::kAwaitArrival:
      if (!board_->isOverNetwork(part.peer)) sayDeviceHasSeen(part);
      if (!board_->has(Notice::kArrived, part.peer, epoch_)) return false;
      noteArrival(part, true);
      board_->post(Notice::kTaken, part.peer, epoch_);
      part.step = Step::kEnded;
      return true;
    case Step::kAwaitTaken:
      if (!board_->has(Notice::kTaken, part.peer, epoch_)) return false;
      part.step = Step::kEnded;
      return true;
  }
  return false;
}

void RankSession::run(double startUs) {
  if (starts_) starts_->hold();
  for (TransferPart& part : parts_) {
    if (part.isOwn()) start(part);
  }
  if (starts_) starts_->send();
  postUs_ = nowUs() - startUs;
  Backoff backoff(control_);
  const auto ended = [](const TransferPart& part) { return part.step == TransferPart::Step::kEnded; };
  for (;;) {
    bool moved = board_->progress();
    uint32_t left = 0, ownLeft = 0, arrivalsLeft = 0;
    for (TransferPart& part : parts_) {
      const bool came = advance(part);
      moved = moved || came;
      if (ended(part)) continue;
      ++left;
      if (part.isOwn()) ++ownLeft;
      if (part.arrivesHere) ++arrivalsLeft;
      control_.awaitedPeer.store(static_cast<int32_t>(part.peer), std::memory_order_relaxed);
    }
    if (wireUs_ < 0 && ownLeft == 0) wireUs_ = nowUs() - startUs;
    if (visibleUs_ < 0 && arrivalsLeft == 0) visibleUs_ = nowUs() - startUs;
    if (left == 0) break;
    board_->requireAll(epoch_);
    if (control_.abort.load(std::memory_order_relaxed) != 0)
      throw Error(ErrorCode::kAborted, "stopped waiting for a transfer");
    if (moved) {
      backoff.reset();
    } else {
      backoff.pause();
    }
  }
  control_.awaitedPeer.store(-1, std::memory_order_relaxed);
}

double RankSession::iterate(PartPlan plan) {
  begin(plan);
  const double startUs = nowUs();
  try {
    run(startUs);
  } catch (...) {
    const std::exception_ptr failure = std::current_exception();
    board_->postFailed(epoch_);
    drain();
    if (watch_) watch_->stop();
    std::rethrow_exception(failure);
  }
  return nowUs() - startUs;
}

void RankSession::drain() noexcept {
  if (starts_) starts_->forget();
  for (TransferPart& part : parts_) {
    if (part.running != nullptr) part.running->drain();
    part.running = nullptr;
    if (part.draining != nullptr) part.draining->drain();
    part.draining = nullptr;
  }
}

std::vector<uint32_t> RankSession::arrivalBlocks() const {
  std::vector<uint32_t> blocks;
  for (const TransferPart& part : parts_) {
    if (!part.arrivesHere) continue;
    for (const uint32_t page : part.move.pages.targetPages)
      blocks.push_back(page / part.move.target->blocks.pages.pagesPerBlock);
  }
  std::ranges::sort(blocks);
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks;
}

// One iteration per sample, as in core/sampler.h, with the times of its phases.
class RankSession::Samples {
 public:
  Samples(RankSession& session, PartPlan plan, const SampleProtocol& protocol)
      : session_(session), plan_(plan) {
    for (std::vector<double>& times : times_) times.reserve(size_t{protocol.warmup} + protocol.iterations);
    blocks_ = session.arrivalBlocks();
    if (session.options_.target != nullptr) session.options_.target->markUnknown(blocks_);
  }
  void beforeSample(uint32_t, bool isLast) {
    if (!isLast || plan_ == PartPlan::kProbe) return;
    isLast_ = true;
    session_.poisonBounceBuffers();
    BlockPool* target = session_.options_.target;
    // A probe of some rank wrote anywhere in it.
    if (target != nullptr && session_.isProbed_) target->restore(session_.control_);
    if (blocks_.empty()) return;
    target->poison(blocks_, session_.control_);
    target->markUnknown(blocks_);
    session_.watchArrivals();
  }
  double run() {
    session_.looksForEarly_ = isLast_;
    const bool faulty = isLast_ && session_.fault_.has_value();
    const double timeUs = session_.iterate(faulty ? PartPlan::kFaulty : plan_);
    times_[0].push_back(session_.postUs_);
    times_[1].push_back(session_.wireUs_);
    times_[2].push_back(session_.visibleUs_);
    return timeUs;
  }
  std::vector<double> lastOf(size_t phase, size_t count) const {
    return {times_[phase].end() - static_cast<std::ptrdiff_t>(count), times_[phase].end()};
  }

 private:
  RankSession& session_;
  const PartPlan plan_;
  std::vector<uint32_t> blocks_;
  bool isLast_ = false;
  std::array<std::vector<double>, 3> times_;
};

RankTransferSamples RankSession::measure(GateRef gate, const SampleProtocol& protocol) {
  Samples operation(*this, PartPlan::kMove, protocol);
  early_.clear();
  const SampleSet set = sample(operation, gate, protocol, control_);
  if (watch_) watch_->stop();
  RankTransferSamples samples;
  samples.early = early_;
  samples.measured.stopped = set.stopped;
  const size_t count = set.timesUs.size();
  const bool starts = std::ranges::any_of(parts_, [](const TransferPart& part) { return part.isOwn(); });
  const bool arrives = std::ranges::any_of(parts_, [](const TransferPart& part) { return part.arrivesHere; });
  const auto add = [&](const char* name, bool has, std::vector<double> timesUs) {
    Phase& phase = samples.measured.phases.emplace_back();
    phase.phase = name;
    phase.bytes = facts_.bytes;
    if (!has) return;
    phase.timesUs = std::move(timesUs);
    phase.entrySkewUs = set.entrySkewUs;
  };
  add("post", starts, operation.lastOf(0, count));
  add("wire", starts, operation.lastOf(1, count));
  add("visible", arrives, operation.lastOf(2, count));
  add("total", true, set.timesUs);
  return samples;
}

ProbeResult RankSession::probe(GateRef gate) {
  const SampleProtocol protocol{2, 7, false};
  Samples operation(*this, PartPlan::kProbe, protocol);
  looksForEarly_ = false;
  if (options_.target != nullptr) options_.target->forget();
  isProbed_ = true;
  const SampleSet set = sample(operation, gate, protocol, control_);
  ProbeResult result;
  result.stopped = set.stopped;
  uint64_t bytes = 0;
  for (const TransferPart& part : parts_) {
    if (part.isOwn()) bytes += probePlan(part).payloadBytes;
  }
  if (set.timesUs.empty() || bytes == 0) return result;
  std::vector<double> times = operation.lastOf(1, set.timesUs.size());
  std::ranges::sort(times);
  result.GBps = static_cast<double>(bytes) / (times[times.size() / 2] * 1e3);
  result.source =
      facts_.bytes.network > 0 ? "contiguous puts of the same bytes" : "contiguous copy of the same bytes";
  return result;
}

}  // namespace railrunner
