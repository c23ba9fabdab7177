// A library with NCCL's names for tests on machines without a GPU. Its communicators join threads of one
// process, are non-blocking, move bytes of plain memory, and fail or never end where the test says so
// (stand_in_nccl.h).
#include "test/collective/stand_in_nccl.h"

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

using railrunner::test::StandInCall;
using railrunner::test::StandInControl;

constexpr int kInProgress = 7;
constexpr int kInvalidArgument = 4;

StandInControl control;
std::mutex mutex;

// What the ranks of one unique id share.
struct Shared {
  int joined = 0;
  int worldSize = 0;  // of the first that came
  bool mismatch = false;
  // By number of the operation: pieces by rank.
  std::map<uint64_t, std::map<int, std::vector<char>>> pieces;
};
std::map<uint64_t, std::shared_ptr<Shared>> shared;

struct Operation {
  uint64_t number = 0;
  int root = -1;  // -1: all-gather
  const char* source = nullptr;
  char* target = nullptr;
  size_t bytes = 0;
  bool sent = false;
};

}  // namespace

struct ncclComm {
  std::shared_ptr<Shared> group;
  int rank = 0;
  int worldSize = 0;
  uint64_t operations = 0;
  std::vector<Operation> inFlight;
  bool ready = false;
  bool spoiled = false;
};

namespace {

// The rank that the calling thread is, for the calls without a communicator.
thread_local int callersRank = -1;
thread_local int groupDepth = 0;
thread_local std::vector<ncclComm*> groupMembers;

int planned(StandInCall call, int rank) {
  const int only = control.onlyRank;
  if (only >= 0 && only != rank) return 0;
  return control.results[static_cast<size_t>(call)];
}

// True when the operation is over for this rank.
bool advance(ncclComm& comm, Operation& operation) {
  auto& pieces = comm.group->pieces[operation.number];
  if (!operation.sent) {
    operation.sent = true;
    if (operation.root < 0 || operation.root == comm.rank) {
      pieces[comm.rank].assign(operation.source, operation.source + operation.bytes);
    }
  }
  if (operation.root >= 0) {
    const auto piece = pieces.find(operation.root);
    if (piece == pieces.end()) return false;
    std::memcpy(operation.target, piece->second.data(), operation.bytes);
    return true;
  }
  if (static_cast<int>(pieces.size()) < comm.worldSize) return false;
  for (const auto& [rank, bytes] : pieces) {
    std::memcpy(operation.target + static_cast<size_t>(rank) * operation.bytes, bytes.data(),
                operation.bytes);
  }
  return true;
}

std::string lastError = "said by the stand-in";

// A call on a communicator that is still in progress ruins it.
bool isEarly(ncclComm* comm) {
  if (comm->ready) return false;
  comm->spoiled = true;
  ++control.earlyCalls;
  return true;
}

int enqueue(ncclComm* comm, Operation operation, StandInCall call) {
  if (const int result = planned(call, comm->rank)) return result;
  const std::lock_guard lock(mutex);
  if (isEarly(comm)) return kInvalidArgument;
  if (groupDepth > 0) {
    groupMembers.push_back(comm);
  } else {
    comm->ready = false;
  }
  operation.number = comm->operations++;
  comm->inFlight.push_back(operation);
  return groupDepth > 0 ? 0 : kInProgress;
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT StandInControl* standInControl() { return &control; }

struct ncclUniqueId {
  char bytes[128];
};

EXPORT int ncclGetVersion(int* version) {
  *version = control.version;
  return planned(StandInCall::kGetVersion, -1);
}

EXPORT int ncclGetUniqueId(ncclUniqueId* id) {
  if (const int result = planned(StandInCall::kGetUniqueId, -1)) return result;
  std::memset(id, 0, sizeof(*id));
  const auto number = static_cast<uint64_t>(++control.idsMade);
  std::memcpy(id->bytes, &number, sizeof(number));
  return 0;
}

EXPORT int ncclCommInitRankConfig(ncclComm** comm, int worldSize, ncclUniqueId id, int rank, void* config) {
  callersRank = rank;
  if (rank < 0 || rank >= worldSize) return kInvalidArgument;
  const std::lock_guard lock(mutex);
  std::memcpy(control.config.data(), config, control.config.size());
  if (const int result = planned(StandInCall::kInit, rank)) return result;
  uint64_t number = 0;
  std::memcpy(&number, id.bytes, sizeof(number));
  auto& group = shared[number];
  if (!group) group = std::make_shared<Shared>();
  ++group->joined;
  if (group->worldSize == 0) group->worldSize = worldSize;
  if (group->worldSize != worldSize) {
    group->mismatch = true;
    lastError = "Bootstrap Root : mismatch in info from procs, nranks " + std::to_string(worldSize) + " vs " +
                std::to_string(group->worldSize);
  }
  *comm = new ncclComm{group, rank, worldSize, 0, {}};
  return kInProgress;
}

EXPORT int ncclCommGetAsyncError(ncclComm* comm, int* state) {
  const std::lock_guard lock(mutex);
  *state = comm->spoiled ? kInvalidArgument : kInProgress;
  if (comm->spoiled || comm->group->mismatch || comm->group->joined < comm->worldSize) return 0;
  if (comm->operations == 0) {
    *state = planned(StandInCall::kInitAsync, comm->rank);
    comm->ready = *state == 0;
    return 0;
  }
  if (const int result = planned(StandInCall::kCollectiveAsync, comm->rank)) {
    *state = result;
    return 0;
  }
  while (!comm->inFlight.empty()) {
    if (!advance(*comm, comm->inFlight.front())) return 0;
    comm->inFlight.erase(comm->inFlight.begin());
  }
  *state = 0;
  comm->ready = true;
  return 0;
}

EXPORT int ncclGroupStart() {
  if (const int result = planned(StandInCall::kGroupStart, callersRank)) return result;
  ++groupDepth;
  return 0;
}

EXPORT int ncclGroupEnd() {
  if (groupDepth > 0) --groupDepth;
  {
    const std::lock_guard lock(mutex);
    for (ncclComm* comm : groupMembers) comm->ready = false;
    groupMembers.clear();
  }
  if (const int result = planned(StandInCall::kGroupEnd, callersRank)) return result;
  return kInProgress;
}

EXPORT int ncclBroadcast(const void* source, void* target, size_t count, int type, int root, ncclComm* comm,
                         void*) {
  if (type != 1 || root < 0 || root >= comm->worldSize) return kInvalidArgument;
  ++control.broadcasts;
  const Operation operation{0,     root, static_cast<const char*>(source), static_cast<char*>(target),
                            count, false};
  return enqueue(comm, operation, StandInCall::kBroadcast);
}

EXPORT int ncclAllGather(const void* source, void* target, size_t count, int type, ncclComm* comm, void*) {
  if (type != 1) return kInvalidArgument;
  ++control.allGathers;
  const Operation operation{0,     -1,   static_cast<const char*>(source), static_cast<char*>(target),
                            count, false};
  return enqueue(comm, operation, StandInCall::kAllGather);
}

EXPORT int ncclCommFinalize(ncclComm* comm) {
  const std::lock_guard lock(mutex);
  if (isEarly(comm)) return kInvalidArgument;
  if (const int result = planned(StandInCall::kFinalize, comm->rank)) return result;
  return kInProgress;
}

EXPORT int ncclCommDestroy(ncclComm* comm) {
  const int result = planned(StandInCall::kDestroy, comm->rank);
  ++control.destroyed;
  delete comm;
  return result;
}

EXPORT int ncclCommAbort(ncclComm* comm) {
  ++control.aborted;
  const std::lock_guard lock(mutex);
  delete comm;
  return 0;
}

EXPORT const char* ncclGetLastError(ncclComm*) {
  if (control.saysNothing) return nullptr;
  static thread_local std::string said;
  const std::lock_guard lock(mutex);
  said = lastError;
  return said.c_str();
}
