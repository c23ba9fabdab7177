#include "world/mailbox.h"

#include <cstring>

namespace railrunner {

namespace {

constexpr uint32_t kMagic = 0x52524d42;  // "RRMB"
constexpr int kTag = 2;

void finish(MailTask& task, std::exception_ptr failure) {
  task.failure = failure;
  task.state.store(failure ? MailTask::kFailed : MailTask::kDone, std::memory_order_release);
}

}  // namespace

void Mailbox::submit(MailTaskPointer task) {
  tasks_.push_back(std::move(task));  // first: where MPI fails in the round, it is among those that are told
  startRound(*tasks_.back());
}

void Mailbox::startRound(MailTask& task) {
  MailPlan::Round round = task.plan->begin(task.round);
  task.isOver = round.isOver;
  task.sources = std::move(round.sources);
  task.received.assign(task.sources.size(), {});
  Header header;
  header.channel = static_cast<uint32_t>(task.channel);
  header.kind = task.kind;
  header.epoch = task.epoch;
  header.sequence = task.sequence;
  header.round = task.round;
  for (const auto& [peer, payload] : round.sends) send(peer, header, payload);
}

int Mailbox::messageBytes(uint64_t payloadBytes) {
  const uint64_t bytes = sizeof(Header) + payloadBytes;
  if (payloadBytes <= INT32_MAX && bytes <= INT32_MAX) return static_cast<int>(bytes);
  throw Error(ErrorCode::kArgument, "a message between ranks of " + std::to_string(payloadBytes) +
                                        " bytes: expected at most " +
                                        std::to_string(INT32_MAX - sizeof(Header)) +
                                        ", which many ranks may reach together. Send it in parts.");
}

void Mailbox::send(int peer, const Header& header, const Bytes& payload) {
  const int bytes = messageBytes(payload.size());
  Transfer& transfer = sending_.emplace_back();
  transfer.peer = peer;
  transfer.message.resize(static_cast<size_t>(bytes));
  Header stamped = header;
  stamped.magic = kMagic;
  std::memcpy(transfer.message.data(), &stamped, sizeof stamped);
  if (!payload.empty()) std::memcpy(transfer.message.data() + sizeof stamped, payload.data(), payload.size());
  mpi_.check(mpi_.calls.isend(comm_, transfer.message.data(), bytes, peer, kTag, &transfer.request),
             "MPI_Issend");
}

void Mailbox::sendFailure(uint32_t epoch, int ownRank) {
  Header header;
  header.channel = static_cast<uint32_t>(MailChannel::kFailure);
  header.epoch = epoch;
  for (int peer = 0; peer < worldSize_; ++peer) {
    if (peer != ownRank) send(peer, header, {});
  }
}

void Mailbox::setEpoch(uint32_t epoch) {
  epoch_ = epoch;
  // The failure is over with its epoch; a deadline's abort is the stage's to take back.
  uint32_t peerFailed = static_cast<uint32_t>(AbortReason::kPeerFailed);
  control_.abort.compare_exchange_strong(peerFailed, 0);
  std::erase_if(store_, [epoch](const auto& entry) { return std::get<1>(entry.first) < epoch; });
  std::erase_if(failedRankOfEpoch_, [epoch](const auto& entry) { return entry.first < epoch; });
}

bool Mailbox::receive() {
  bool moved = false;
  for (int found = 1; found != 0;) {
    int source = 0;
    int tag = 0;
    int bytes = 0;
    mpi_.check(mpi_.calls.iprobe(comm_, kMpiAnySource, &found, &source, &tag, &bytes), "MPI_Iprobe");
    if (found == 0) break;
    Transfer& transfer = receiving_.emplace_back();
    transfer.peer = source;
    transfer.message.resize(static_cast<size_t>(bytes));
    mpi_.check(mpi_.calls.irecv(comm_, transfer.message.data(), bytes, source, tag, &transfer.request),
               "MPI_Irecv");
    moved = true;
  }
  for (auto it = receiving_.begin(); it != receiving_.end();) {
    if (mpi_.test(it->request, "a receive")) {
      deliver(it->peer, std::move(it->message));
      it = receiving_.erase(it);
      moved = true;
    } else {
      ++it;
    }
  }
  for (auto it = sending_.begin(); it != sending_.end();) {
    it = mpi_.test(it->request, "a send") ? sending_.erase(it) : std::next(it);
  }
  return moved;
}

void Mailbox::deliver(int source, Bytes message) {
  Header header;
  if (message.size() < sizeof header) return;
  std::memcpy(&header, message.data(), sizeof header);
  // A peer is at most one epoch ahead: the next one begins only when all ranks have asked for it.
  if (header.magic != kMagic || header.epoch < epoch_ || header.epoch > epoch_ + 1) return;
  if (header.channel == static_cast<uint32_t>(MailChannel::kFailure)) {
    failedRankOfEpoch_.emplace(header.epoch, source);
    return;
  }
  message.erase(message.begin(), message.begin() + sizeof header);
  store_[{header.channel, header.epoch, header.sequence, header.round, source}] = {header.kind,
                                                                                   std::move(message)};
}

bool Mailbox::takeMail(MailTask& task) {
  int32_t awaited = -1;
  for (size_t i = 0; i < task.sources.size(); ++i) {
    const int source = task.sources[i];
    const auto it =
        store_.find({static_cast<uint32_t>(task.channel), task.epoch, task.sequence, task.round, source});
    if (it == store_.end()) {
      if (awaited < 0) awaited = source;
    } else if (it->second.kind != task.kind) {
      throw Error(ErrorCode::kState,
                  std::string("ranks called different collectives at once: this rank is in ") + task.what +
                      ", rank " + std::to_string(source) + " in another");
    }
  }
  task.awaitedRank.store(awaited, std::memory_order_relaxed);
  if (awaited >= 0) return false;
  for (size_t i = 0; i < task.sources.size(); ++i) {
    auto node = store_.extract(
        {static_cast<uint32_t>(task.channel), task.epoch, task.sequence, task.round, task.sources[i]});
    task.received[i] = std::move(node.mapped().payload);
  }
  return true;
}

// True when the task is over.
bool Mailbox::advance(MailTask& task) {
  if (task.abandoned.load(std::memory_order_relaxed)) return true;
  if (task.epoch < epoch_) {
    throw Error(ErrorCode::kState, std::string(task.what) + " belongs to a point that is over");
  }
  while (!task.isOver && takeMail(task)) {
    task.plan->end(task.round, std::move(task.received));
    ++task.round;
    startRound(task);
  }
  if (task.isOver) {
    finish(task, nullptr);
    return true;
  }
  // What the failed rank sent before counts: all leave at the same place where its messages have come.
  if (const auto failed = failedRankOfEpoch_.find(task.epoch); failed != failedRankOfEpoch_.end()) {
    throw Error(ErrorCode::kAborted, std::string("stopped waiting in ") + task.what + ": rank " +
                                         std::to_string(failed->second) + " has failed");
  }
  return false;
}

// Waits that no exchange ends (spins on a peer's memory) end by the abort word. It is set again and again
// while the epoch lasts: this rank's stage may clear it before it has heard of the failure at the stage's
// boundary.
void Mailbox::abortWhereAPeerFailed() {
  if (failedRankOfEpoch_.empty() || !failedRankOfEpoch_.contains(epoch_)) return;
  uint32_t none = 0;
  control_.abort.compare_exchange_strong(none, static_cast<uint32_t>(AbortReason::kPeerFailed));
}

bool Mailbox::progress() {
  bool moved = receive();
  abortWhereAPeerFailed();
  for (auto it = tasks_.begin(); it != tasks_.end();) {
    bool over = false;
    try {
      over = advance(**it);
    } catch (...) {
      finish(**it, std::current_exception());
      over = true;
    }
    it = over ? tasks_.erase(it) : std::next(it);
    moved = moved || over;
  }
  return moved;
}

void Mailbox::failAll(const std::exception_ptr& failure) {
  for (const MailTaskPointer& task : tasks_) finish(*task, failure);
  tasks_.clear();
}

}  // namespace railrunner
