// The opening of the world, on the control thread: MPI, hosts, communicators, node blocks.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "core/clock.h"
#include "core/wait.h"
#include "world/control_thread.h"
#include "world/plugin_loader.h"
#include "world/signal_keeper.h"

namespace railrunner {

namespace {

// Of the cores that this process may run on; Linux has at most 8192.
struct CoreMask {
  uint64_t words[128] = {};
};

CoreMask ownCores() {
  CoreMask mask;
  if (sched_getaffinity(0, sizeof mask.words, reinterpret_cast<cpu_set_t*>(mask.words)) == 0) return mask;
  const long online = std::clamp(sysconf(_SC_NPROCESSORS_ONLN), 1L, 8192L);
  for (long core = 0; core < online; ++core) mask.words[core / 64] |= uint64_t{1} << (core % 64);
  return mask;
}

}  // namespace

void ControlThread::wait(int request, const char* what) {
  Backoff backoff;
  while (!mpi_->test(request, what)) {
    if (nowNs() > openDeadlineNs_) {
      throw Error(ErrorCode::kTimeout, std::string("opening the world: the deadline passed in ") + what);
    }
    backoff.pause();
  }
}

int ControlThread::duplicate(const char* what) {
  int comm = -1;
  int request = -1;
  mpi_->check(mpi_->calls.dup(kMpiWorld, &comm, &request), what);
  wait(request, what);
  return comm;
}

void ControlThread::open() {
  openDeadlineNs_ = nowNs() + options_.timeoutNs;
  {
    const SignalKeeper keeper;  // from before the libraries are loaded: UCX takes SIGHUP as it comes in
    auto mpi = std::make_unique<Mpi>(loadMpiPlugin(options_.pluginPath));
    mpi->check(mpi->calls.init(), "MPI_Init_thread");
    mpi_ = std::move(mpi);
  }
  mpi_->check(mpi_->calls.rank(kMpiWorld, &info_.rank), "MPI_Comm_rank");
  mpi_->check(mpi_->calls.size(kMpiWorld, &info_.worldSize), "MPI_Comm_size");
  char text[256] = {};
  mpi_->calls.libraryVersion(text, sizeof text);
  info_.mpiName = mpi_->calls.name;
  info_.mpiVersion = text;
  char hostname[256] = {};
  gethostname(hostname, sizeof hostname - 1);
  info_.hostname = hostname;
  findHost();
  controlComm_ = duplicate("MPI_Comm_idup");
  const int beatComm = duplicate("MPI_Comm_idup");
  const int mailComm = duplicate("MPI_Comm_idup");
  exchangeNodeBlocks();
  std::vector<int64_t> silenceNs;
  for (const int leader : hostLeaders_) {
    const bool isHere = leader == hostLeaders_[static_cast<size_t>(info_.rank)];
    silenceNs.push_back(isHere ? options_.peerTimeoutNs : options_.remotePeerTimeoutNs);
  }
  heartbeat_ = std::make_unique<Heartbeat>(*mpi_, beatComm, info_.rank, std::move(silenceNs), control_);
  mailbox_ = std::make_unique<Mailbox>(*mpi_, mailComm, info_.worldSize, control_);
}

void ControlThread::findHost() {
  int hostComm = -1;
  mpi_->check(mpi_->calls.splitShared(kMpiWorld, info_.rank, &hostComm), "MPI_Comm_split_type");
  int leader = info_.rank;
  int request = -1;
  mpi_->check(mpi_->calls.ibcast(hostComm, &leader, sizeof leader, 0, &request), "MPI_Ibcast");
  wait(request, "MPI_Ibcast");
  std::vector<int>& leaders = hostLeaders_;
  leaders.resize(static_cast<size_t>(info_.worldSize));
  mpi_->check(mpi_->calls.iallgather(kMpiWorld, &leader, sizeof leader, leaders.data(), &request),
              "MPI_Iallgather");
  wait(request, "MPI_Iallgather");
  // Rank 0 has read the spec before MPI was there; its word holds for all.
  int ranksPerNode = options_.ranksPerNode;
  mpi_->check(mpi_->calls.ibcast(kMpiWorld, &ranksPerNode, sizeof ranksPerNode, 0, &request), "MPI_Ibcast");
  wait(request, "MPI_Ibcast");
  placeRank(info_, leaders, ranksPerNode);
  control_.setCrowded(info_.hostSize > countHostCores(leaders, leader));
}

// Cores that the ranks of this host may run on, all together: a launcher binds each rank to its own, and a container
// leaves all of them fewer than are online.
int ControlThread::countHostCores(const std::vector<int>& leaders, int leader) {
  const CoreMask mine = ownCores();
  std::vector<CoreMask> all(leaders.size());
  int request = -1;
  mpi_->check(mpi_->calls.iallgather(kMpiWorld, &mine, sizeof mine, all.data(), &request), "MPI_Iallgather");
  wait(request, "MPI_Iallgather");
  CoreMask host;
  for (size_t rank = 0; rank < all.size(); ++rank) {
    for (size_t i = 0; leaders[rank] == leader && i < std::size(host.words); ++i)
      host.words[i] |= all[rank].words[i];
  }
  int cores = 0;
  for (const uint64_t word : host.words) cores += std::popcount(word);
  return cores;
}

// First through /proc, which leaves nothing behind whatever happens; by name where any rank could not.
void ControlThread::exchangeNodeBlocks() {
  const int maker = ranksOfNode(info_, info_.node).front();
  const bool isMaker = maker == info_.rank;
  for (const bool named : {false, true}) {
    std::exception_ptr failure;
    NodeBlockHandle handle;
    try {
      if (isMaker) {
        nodeBlock_ = NodeBlock::create(info_.localSize, named);
        handle = nodeBlock_->handle();
      }
    } catch (const Error&) {
      failure = std::current_exception();
    }
    std::vector<NodeBlockHandle> handles(static_cast<size_t>(info_.worldSize));
    int request = -1;
    mpi_->check(mpi_->calls.iallgather(kMpiWorld, &handle, sizeof handle, handles.data(), &request),
                "MPI_Iallgather");
    wait(request, "MPI_Iallgather");
    try {
      if (!isMaker) nodeBlock_ = NodeBlock::open(handles[static_cast<size_t>(maker)], info_.localSize);
    } catch (const Error&) {
      failure = std::current_exception();
    }
    const uint64_t failed = failure ? 1 : 0;
    uint64_t anyFailed = 0;
    mpi_->check(mpi_->calls.iallreduceMax(kMpiWorld, &failed, &anyFailed, 1, &request), "MPI_Iallreduce");
    wait(request, "MPI_Iallreduce");
    if (isMaker && nodeBlock_) nodeBlock_->unlinkName();
    if (anyFailed == 0) return;
    nodeBlock_.reset();
    if (named && failure) std::rethrow_exception(failure);
  }
  throw Error(ErrorCode::kAllocation,
              "another rank could not map its node's shared block; its own message says why");
}

}  // namespace railrunner
