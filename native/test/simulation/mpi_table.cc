// The calls of the table that are collective, and the loader that gives it out in place of a plug-in's.
#include <cstdio>
#include <cstring>

#include "test/simulation/mpi_model.h"
#include "world/plugin_loader.h"

namespace railrunner {

// Defined here, so that the linker does not take the one that opens a library.
const MpiPlugin& loadMpiPlugin(const std::string&) { return simulation::MpiModel::get().table(); }

namespace simulation {

int MpiModel::rankCall(int comm, int* rank) {
  *rank = get().member(comm);
  return 0;
}

int MpiModel::sizeCall(int comm, int* size) {
  *size = static_cast<int>(get().comms_[static_cast<size_t>(comm)].members.size());
  return 0;
}

int MpiModel::dup(int comm, int* result, int* request) {
  MpiModel& model = get();
  *result = ++model.numDups_[static_cast<size_t>(Scheduler::get().rank())];
  model.enter(comm, Kind::kDup, 0, 0, nullptr, 0, nullptr, request);
  return 0;
}

int MpiModel::splitShared(int comm, int, int* result) {
  MpiModel& model = get();
  model.waitFor(comm, Kind::kSplit);
  *result = model.commOfHost_.at(model.options_.hostOfRank[static_cast<size_t>(Scheduler::get().rank())]);
  return 0;
}

int MpiModel::finalizeCall() {
  get().checkEmpty();
  get().waitFor(kMpiWorld, Kind::kEnd);
  return 0;
}

void MpiModel::fillTable() {
  table_ = {};
  table_.abi = kMpiPluginAbi;
  table_.name = "simulated";
  table_.init = [] {
    Scheduler::get().sleep(Scheduler::get().random().between(kUs, 2 * kMs));
    return 0;
  };
  table_.finalize = &MpiModel::finalizeCall;
  table_.abort = [](int) { Scheduler::get().crash(Scheduler::get().rank()); };
  table_.errorText = [](int, char* text, int bytes) {
    std::snprintf(text, static_cast<size_t>(bytes), "the peer is gone");
  };
  table_.libraryVersion = [](char* text, int bytes) {
    std::snprintf(text, static_cast<size_t>(bytes), "simulated");
  };
  table_.rank = &MpiModel::rankCall;
  table_.size = &MpiModel::sizeCall;
  table_.dup = &MpiModel::dup;
  table_.splitShared = &MpiModel::splitShared;
  table_.isend = &MpiModel::isend;
  table_.irecv = &MpiModel::irecv;
  table_.iprobe = &MpiModel::iprobe;
  table_.test = &MpiModel::test;
  table_.ibcast = [](int comm, void* data, int bytes, int root, int* request) {
    const auto size = static_cast<size_t>(bytes);
    get().enter(comm, Kind::kBroadcast, root, size, data, size, data, request);
    return 0;
  };
  table_.igather = [](int comm, const void* data, int bytes, void* all, int root, int* request) {
    const auto size = static_cast<size_t>(bytes);
    get().enter(comm, Kind::kGather, root, size, data, size, all, request);
    return 0;
  };
  table_.iallgather = [](int comm, const void* data, int bytes, void* all, int* request) {
    const auto size = static_cast<size_t>(bytes);
    get().enter(comm, Kind::kAllgather, 0, size, data, size, all, request);
    return 0;
  };
  table_.iallreduceMax = [](int comm, const uint64_t* values, uint64_t* result, int count, int* request) {
    const size_t size = static_cast<size_t>(count) * 8;
    get().enter(comm, Kind::kMaximum, 0, size, values, size, result, request);
    return 0;
  };
  table_.ibarrier = [](int comm, int* request) {
    get().enter(comm, Kind::kBarrier, 0, 0, nullptr, 0, nullptr, request);
    return 0;
  };
  fillSized();
}

// Those to which each rank gives another number of bytes.
void MpiModel::fillSized() {
  table_.igatherv = [](int comm, const void* data, int bytes, void* all, const int* counts,
                       const int* displacements, int root, int* request) {
    Part& part = get().enter(comm, Kind::kGatherv, root, 0, data, static_cast<size_t>(bytes), all, request);
    if (get().member(comm) != root) return 0;
    const size_t members = get().comms_[static_cast<size_t>(comm)].members.size();
    part.counts.assign(counts, counts + members);
    part.displacements.assign(displacements, displacements + members);
    return 0;
  };
  table_.iallgatherv = [](int comm, const void* data, int bytes, void* all, const int* counts,
                          const int* displacements, int* request) {
    Part& part = get().enter(comm, Kind::kAllgatherv, 0, 0, data, static_cast<size_t>(bytes), all, request);
    const size_t members = get().comms_[static_cast<size_t>(comm)].members.size();
    part.counts.assign(counts, counts + members);
    part.displacements.assign(displacements, displacements + members);
    return 0;
  };
  table_.ialltoallv = [](int comm, const void* data, const int* sendCounts, const int* sendDisplacements,
                         void* all, const int* receiveCounts, const int* receiveDisplacements, int* request) {
    const size_t members = get().comms_[static_cast<size_t>(comm)].members.size();
    size_t bytes = 0;
    for (size_t i = 0; i < members; ++i) bytes += static_cast<size_t>(sendCounts[i]);
    Part& part = get().enter(comm, Kind::kAlltoall, 0, 0, data, bytes, all, request);
    part.sendCounts.assign(sendCounts, sendCounts + members);
    part.sendDisplacements.assign(sendDisplacements, sendDisplacements + members);
    part.counts.assign(receiveCounts, receiveCounts + members);
    part.displacements.assign(receiveDisplacements, receiveDisplacements + members);
    return 0;
  };
}

}  // namespace simulation
}  // namespace railrunner
