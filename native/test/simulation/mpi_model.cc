#include "test/simulation/mpi_model.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace railrunner::simulation {

namespace {

constexpr int kFailed = 17;
constexpr int64_t kNoticeNs = 200 * kMs;  // after which sends to a rank that is gone may fail
constexpr int kMailTag = 2;

Scheduler& scheduler() { return Scheduler::get(); }

}  // namespace

MpiModel& MpiModel::get() {
  static MpiModel model;
  return model;
}

void MpiModel::begin(MpiOptions options) {
  options_ = std::move(options);
  const size_t worldSize = options_.hostOfRank.size();
  ranks_ = std::vector<Rank>(worldSize);
  numDups_.assign(worldSize, 0);
  const auto addComm = [&](std::vector<int> members) {
    Communicator& comm = comms_.emplace_back();
    comm.inbox.resize(members.size());
    comm.numCalls.assign(members.size(), 0);
    comm.members = std::move(members);
    return static_cast<int>(comms_.size()) - 1;
  };
  std::vector<int> world;
  for (size_t rank = 0; rank < worldSize; ++rank) world.push_back(static_cast<int>(rank));
  for (int i = 0; i < 4; ++i) addComm(world);  // the world, and what is duplicated from it
  for (const int host : options_.hostOfRank) {
    if (commOfHost_.contains(host)) continue;
    std::vector<int> members;
    for (const int rank : world) {
      if (options_.hostOfRank[static_cast<size_t>(rank)] == host) members.push_back(rank);
    }
    commOfHost_[host] = addComm(members);
  }
  fillTable();
}

uint64_t MpiModel::sentBy(int rank, int tag) const {
  return ranks_[static_cast<size_t>(rank)].sent[static_cast<size_t>(tag)];
}

int MpiModel::member(int comm) const {
  const auto& members = comms_[static_cast<size_t>(comm)].members;
  return static_cast<int>(std::ranges::find(members, scheduler().rank()) - members.begin());
}

int MpiModel::newRequest(Request request, int* number) {
  requests_.emplace(++numRequests_, std::move(request));
  *number = self().nextRequest++;
  self().requests[*number] = numRequests_;
  return 0;
}

// The next collective call of this rank on `comm`: it must be the same on all.
MpiModel::Part& MpiModel::enter(int comm, Kind kind, int root, size_t bytes, const void* data,
                                size_t dataBytes, void* all, int* request) {
  Communicator& at = comms_[static_cast<size_t>(comm)];
  const int own = member(comm);
  const size_t index = at.numCalls[static_cast<size_t>(own)]++;
  if (index == at.collectives.size()) {
    at.collectives.push_back(std::make_unique<Collective>());
    *at.collectives.back() = {kind, root, bytes, std::vector<Part>(at.members.size())};
  }
  Collective& collective = *at.collectives[index];
  if (collective.kind != kind || collective.root != root || collective.bytes != bytes) {
    scheduler().violate("rank " + std::to_string(scheduler().rank()) + ": collective call " +
                        std::to_string(index) + " of communicator " + std::to_string(comm) +
                        " differs from that of another rank");
  }
  Part& part = collective.parts[static_cast<size_t>(own)];
  part.hasEntered = true;
  part.all = all;
  const auto* begin = static_cast<const uint8_t*>(data);
  if (dataBytes > 0) part.sent.assign(begin, begin + dataBytes);
  scheduler().trace("collective", comm, static_cast<int64_t>(index), static_cast<int64_t>(dataBytes));
  Request made;
  made.state = Request::kCollective;
  made.comm = comm;
  made.index = index;
  if (request != nullptr) newRequest(std::move(made), request);
  return part;
}

bool MpiModel::isReady(Communicator& comm, Collective& collective, int own) {
  Part& part = collective.parts[static_cast<size_t>(own)];
  const bool isRooted = collective.kind == Kind::kGather || collective.kind == Kind::kGatherv;
  bool ready = false;
  if (collective.kind == Kind::kBroadcast) {
    ready = collective.parts[static_cast<size_t>(collective.root)].hasEntered;
  } else if (isRooted && own != collective.root) {
    ready = true;
  } else {
    ready = std::ranges::all_of(collective.parts, [](const Part& each) { return each.hasEntered; });
  }
  if (!ready) return false;
  if (part.readyNs < 0)
    part.readyNs = scheduler().nowNs() + scheduler().random().between(kUs, options_.latencyNs);
  if (scheduler().nowNs() < part.readyNs) return false;
  finish(comm, collective, own);
  return true;
}

// What the others sent comes into the rank's memory, not before it learns of the end.
void MpiModel::finish(Communicator& comm, Collective& collective, int own) {
  Part& part = collective.parts[static_cast<size_t>(own)];
  auto* all = static_cast<uint8_t*>(part.all);
  const auto& parts = collective.parts;
  switch (collective.kind) {
    case Kind::kBroadcast:
      if (own != collective.root)
        std::memcpy(all, parts[static_cast<size_t>(collective.root)].sent.data(), collective.bytes);
      break;
    case Kind::kGather:
      if (own != collective.root) break;
      [[fallthrough]];
    case Kind::kAllgather:
      for (size_t i = 0; i < parts.size(); ++i)
        std::memcpy(all + i * collective.bytes, parts[i].sent.data(), collective.bytes);
      break;
    case Kind::kGatherv:
      if (own != collective.root) break;
      [[fallthrough]];
    case Kind::kAllgatherv:
      for (size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].sent.size() != static_cast<size_t>(part.counts[i]))
          scheduler().violate("sizes of a gather differ");
        std::memcpy(all + part.displacements[i], parts[i].sent.data(), parts[i].sent.size());
      }
      break;
    case Kind::kMaximum: {
      auto* result = static_cast<uint64_t*>(part.all);
      for (size_t value = 0; value < collective.bytes / 8; ++value) {
        result[value] = 0;
        for (const Part& each : parts) {
          uint64_t one = 0;
          std::memcpy(&one, each.sent.data() + value * 8, 8);
          result[value] = std::max(result[value], one);
        }
      }
      break;
    }
    case Kind::kAlltoall:
      for (size_t i = 0; i < parts.size(); ++i) {
        const auto me = static_cast<size_t>(own);
        if (parts[i].sendCounts[me] != part.counts[i]) scheduler().violate("sizes of an alltoall differ");
        std::memcpy(all + part.displacements[i], parts[i].sent.data() + parts[i].sendDisplacements[me],
                    static_cast<size_t>(part.counts[i]));
      }
      break;
    case Kind::kDup:
    case Kind::kBarrier:
    case Kind::kSplit:
    case Kind::kEnd:
      break;
  }
  scheduler().touch(comm.members[static_cast<size_t>(own)]);
}

// For the calls that do not return before the others have come.
void MpiModel::waitFor(int comm, Kind kind) {
  Communicator& at = comms_[static_cast<size_t>(comm)];
  const int own = member(comm);
  enter(comm, kind, 0, 0, nullptr, 0, nullptr, nullptr);
  Collective& collective = *at.collectives[at.numCalls[static_cast<size_t>(own)] - 1];
  for (int64_t napNs = 50 * kUs; !isReady(at, collective, own); napNs = std::min(napNs * 3 / 2, 100 * kMs))
    scheduler().sleep(napNs);
}

int MpiModel::isend(int comm, const void* data, int bytes, int peer, int tag, int* request) {
  MpiModel& model = get();
  const int self = scheduler().rank();
  Random& random = scheduler().random();
  const bool isGone = scheduler().isGone(peer);
  if (isGone && model.options_.failsForGone && scheduler().nowNs() > scheduler().goneNs(peer) + kNoticeNs)
    return kFailed;
  scheduler().trace(tag == kMailTag ? "mail" : "beat", self, peer, bytes);
  model.self().sent[static_cast<size_t>(tag)] += 1;
  Communicator& at = model.comms_[static_cast<size_t>(comm)];
  int64_t& last = at.lastArrivalNs[{self, peer}];
  const bool isLate = random.chance(3);
  last = std::max(last + 1,
                  scheduler().nowNs() + random.between(kUs, model.options_.latencyNs * (isLate ? 20 : 1)));
  Request sending;
  sending.state = Request::kSending;
  model.newRequest(std::move(sending), request);
  if (isGone) return 0;
  const auto* begin = static_cast<const uint8_t*>(data);
  const bool isPlanted = tag == kMailTag && model.numMails_++ == model.options_.plantedAt;
  const PlantedMessage planted = isPlanted ? model.options_.planted : PlantedMessage::kNone;
  if (planted == PlantedMessage::kLost) {
    model.requests_[model.numRequests_].isTaken = true;
    return 0;
  }
  Message message{last, self, tag, {begin, begin + bytes}, model.numRequests_};
  auto& inbox = at.inbox[static_cast<size_t>(peer)];
  if (planted == PlantedMessage::kTwice) inbox.push_back(message);
  inbox.push_back(std::move(message));
  return 0;
}

int MpiModel::iprobe(int comm, int peer, int* found, int* source, int* tag, int* bytes) {
  MpiModel& model = get();
  *found = 0;
  std::vector<const Message*> first;  // of each source: a later one must not overtake it
  std::vector<int> seen;
  for (const Message& message :
       model.comms_[static_cast<size_t>(comm)].inbox[static_cast<size_t>(model.member(comm))]) {
    if (peer != kMpiAnySource && message.source != peer) continue;
    if (std::ranges::find(seen, message.source) != seen.end()) continue;
    seen.push_back(message.source);
    if (message.arrivesNs <= scheduler().nowNs()) first.push_back(&message);
  }
  if (first.empty()) return 0;
  const Message& message = *first[scheduler().random().below(first.size())];
  *found = 1;
  *source = message.source;
  *tag = message.tag;
  *bytes = static_cast<int>(message.bytes.size());
  return 0;
}

int MpiModel::irecv(int comm, void* data, int bytes, int peer, int tag, int* request) {
  MpiModel& model = get();
  auto& inbox = model.comms_[static_cast<size_t>(comm)].inbox[static_cast<size_t>(model.member(comm))];
  for (auto it = inbox.begin(); it != inbox.end(); ++it) {
    if (it->source != peer || it->tag != tag) continue;
    if (it->arrivesNs > scheduler().nowNs() || it->bytes.size() != static_cast<size_t>(bytes)) break;
    scheduler().trace("take", peer, tag, bytes);
    scheduler().touch(scheduler().rank());
    Request receive;
    receive.state = Request::kReceiving;
    receive.doneNs = scheduler().nowNs() + scheduler().random().between(0, 5 * kUs);
    receive.target = data;
    receive.bytes = std::move(it->bytes);
    if (const auto sent = model.requests_.find(it->request); sent != model.requests_.end()) {
      sent->second.isTaken = true;
      sent->second.doneNs = scheduler().nowNs() + scheduler().random().between(kUs, model.options_.latencyNs);
    }
    inbox.erase(it);
    return model.newRequest(std::move(receive), request);
  }
  scheduler().violate("a receive does not fit what was probed");
  return kFailed;
}

bool MpiModel::isDone(Request& request) {
  if (request.state == Request::kCollective) {
    Communicator& at = comms_[static_cast<size_t>(request.comm)];
    return isReady(at, *at.collectives[request.index], member(request.comm));
  }
  if (request.state == Request::kSending && !request.isTaken) return false;
  if (scheduler().nowNs() < request.doneNs) return false;
  if (request.state == Request::kReceiving && !request.bytes.empty())
    std::memcpy(request.target, request.bytes.data(), request.bytes.size());
  return true;
}

int MpiModel::test(int request, int* done) {
  MpiModel& model = get();
  *done = 0;
  const auto found = model.self().requests.find(request);
  if (found == model.self().requests.end()) {
    scheduler().violate("a request is tested that is gone");
    return kFailed;
  }
  if (!model.isDone(model.requests_.at(found->second))) return 0;
  *done = 1;
  model.requests_.erase(found->second);
  model.self().requests.erase(found);
  return 0;
}

// MPI_Finalize may not come while messages are in flight.
void MpiModel::checkEmpty() {
  if (!self().requests.empty()) {
    scheduler().violate("rank " + std::to_string(scheduler().rank()) + " finalizes with " +
                        std::to_string(self().requests.size()) + " requests in flight");
  }
  for (const Communicator& comm : comms_) {
    const auto own = std::ranges::find(comm.members, scheduler().rank());
    if (own == comm.members.end()) continue;
    if (!comm.inbox[static_cast<size_t>(own - comm.members.begin())].empty())
      scheduler().violate("rank " + std::to_string(scheduler().rank()) +
                          " finalizes with messages not taken");
  }
}

}  // namespace railrunner::simulation
