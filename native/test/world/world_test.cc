// One rank of a real MPI world without Node: world_test PLUGIN RANKS_PER_NODE. Every rank checks; the launcher's exit
// status tells.
// links: core/error.cc core/threads.cc world/collective_operation.cc world/control_thread.cc world/heartbeat.cc world/mail_plan.cc world/mailbox.cc
// links: world/node_block.cc world/open_world.cc world/plugin_loader.cc world/sampling_gate.cc world/topology.cc
// links: world/world.cc world/world_gate.cc
#include "world/world.h"

#include <unistd.h>

#include <functional>
#include <future>
#include <thread>

#include "core/clock.h"
#include "core/sampler.h"
#include "test/support/check.h"
#include "world/world_gate.h"

namespace railrunner {
namespace {

int64_t inSeconds(int seconds) { return nowNs() + seconds * 1'000'000'000LL; }

std::shared_ptr<World> openWorld(const char* plugin, int ranksPerNode, RunControl& control) {
  auto opened = std::make_shared<std::promise<std::shared_ptr<World>>>();
  WorldOptions options;
  options.pluginPath = plugin;
  options.ranksPerNode = ranksPerNode;
  options.timeoutNs = 20'000'000'000;
  World::open(options, control, [opened](std::exception_ptr failure, std::shared_ptr<World> world) {
    if (failure) {
      opened->set_exception(failure);
    } else {
      opened->set_value(std::move(world));
    }
  });
  return opened->get_future().get();
}

// Waits for a call of the control plane.
template <class Start>
void settle(Start&& start) {
  auto done = std::make_shared<std::promise<void>>();
  start([done](std::exception_ptr failure) {
    if (failure) {
      done->set_exception(failure);
    } else {
      done->set_value();
    }
  });
  done->get_future().get();
}

void renew(World& world) {
  uint32_t own = static_cast<uint32_t>(AbortReason::kOwn);
  world.control().abort.compare_exchange_strong(own, 0);
  settle([&](ControlThread::Opened done) { world.startRenew(inSeconds(20), std::move(done)); });
  CHECK_EQUAL(world.control().abort.load(), 0U);
}

// Ends the waits of this rank, as the deadline of a stage does: after a while, or as soon as it is known that
// it waits for that rank alone (rank 0 is named before rank 1, so the last is named when no other is
// missing).
class Deadline {
 public:
  Deadline(RunControl& control, int milliseconds)
      : thread_([&control, milliseconds] {
          std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
          control.abort.store(1);
        }) {}
  static Deadline onceAwaited(RunControl& control, int rank) {
    control.awaitedPeer.store(-1);
    return Deadline([&control, rank, limitNs = inSeconds(20)] {
      while (control.awaitedPeer.load() != rank && nowNs() < limitNs) usleep(1000);
      control.abort.store(1);
    });
  }
  ~Deadline() { thread_.join(); }

 private:
  explicit Deadline(std::function<void()> body) : thread_(std::move(body)) {}
  std::thread thread_;
};

template <class Body>
ErrorCode codeOf(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  std::fprintf(stderr, "expected an error, received none\n");
  ++test::failures;
  return ErrorCode::kArgument;
}

Bytes bytesOf(int rank, int peer, size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<uint8_t>(rank * 31 + peer * 7 + static_cast<int>(i));
  return bytes;
}

size_t sizeOf(int rank, int peer) {
  return static_cast<size_t>(rank) * 1000 + static_cast<size_t>(peer) * 37;
}

void checkCollectives(World& world) {
  const int rank = world.info().rank;
  const int size = world.info().worldSize;
  const int64_t deadlineNs = inSeconds(20);
  const auto all = world.allgather(bytesOf(rank, 1, sizeOf(rank, 1)), deadlineNs);
  for (int peer = 0; peer < size; ++peer) {
    CHECK(all[static_cast<size_t>(peer)] == bytesOf(peer, 1, sizeOf(peer, 1)));
  }
  CHECK_EQUAL(world.allreduceMax(static_cast<uint64_t>((rank * 5) % size), deadlineNs),
              static_cast<uint64_t>(size == 5 ? 0 : size - 1));
  world.barrier(deadlineNs);
}

struct Operation {
  void beforeSample(uint32_t index, bool) { current = index; }
  double run() {
    if (current == throwAt) throw Error(ErrorCode::kIo, "planted");
    if (current == stopAt) control->stop.store(static_cast<uint32_t>(StopReason::kSignal));
    return 1.0;
  }
  RunControl* control = nullptr;
  uint32_t current = 0;
  uint32_t stopAt = UINT32_MAX;
  uint32_t throwAt = UINT32_MAX;
};

void checkGate(World& world, WorldGate& gate) {
  RunControl& control = world.control();
  const bool isLast = world.info().rank == world.info().worldSize - 1;
  Operation operation;
  operation.control = &control;
  const SampleSet whole = sample(operation, gate.gate(), {2, 50, false}, control);
  CHECK_EQUAL(whole.timesUs.size(), 50U);
  CHECK_EQUAL(whole.entrySkewUs.size(), 50U);
  CHECK(!whole.stopped);
  if (isLast) operation.stopAt = 23;
  const SampleSet stopped = sample(operation, gate.gate(), {0, 50, false}, control);
  control.stop.store(0);
  CHECK(stopped.stopped);
  CHECK_EQUAL(stopped.timesUs.size(), 24U);  // all ranks leave at the gate after the one that asked
}

// The last rank stays away from the gate and from a collective.
void checkAbsence(World& world, WorldGate& gate) {
  if (world.info().worldSize == 1) return;
  RunControl& control = world.control();
  const int absentee = world.info().worldSize - 1;
  const bool isAbsent = world.info().rank == absentee;
  if (!isAbsent) {
    const Deadline deadline(control, 300);
    CHECK(codeOf([&] { gate.gate().arrive(0); }) == ErrorCode::kAborted);
  }
  renew(world);
  checkGate(world, gate);
  if (!isAbsent) {
    // Where blocks travel in rounds a rank may wait for one that waits itself, up to the absent one, which waits for none.
    const bool isDirect = world.info().worldSize <= AllgatherPlan::kDirectRanks;
    const Deadline deadline = isDirect ? Deadline::onceAwaited(control, absentee) : Deadline(control, 1000);
    CHECK(codeOf([&] { world.allgather(Bytes(10, 1), 0); }) == ErrorCode::kAborted);
    CHECK(isDirect ? control.awaitedPeer.load() == absentee : control.awaitedPeer.load() >= 0);
  }
  renew(world);
  checkCollectives(world);
}

// A rank that throws ends the loops and collectives of the others without a deadline. They all leave the gate by the stop
// word, with the samples that they have: also where the news comes from another node.
void checkFailure(World& world, WorldGate& gate, int culprit) {
  if (world.info().worldSize == 1) return;
  RunControl& control = world.control();
  Operation operation;
  operation.control = &control;
  const bool isCulprit = world.info().rank == culprit;
  if (isCulprit) operation.throwAt = 9;
  try {
    const SampleSet set = sample(operation, gate.gate(), {0, 50, false}, control);
    CHECK(set.stopped);
    CHECK(set.timesUs.size() == 10 || set.timesUs.size() == 9);  // the news may overtake the last gate
    CHECK(!isCulprit);
  } catch (const Error& error) {
    if (!isCulprit) std::fprintf(stderr, "rank %d: %s\n", world.info().rank, error.what());
    CHECK(isCulprit && error.code() == ErrorCode::kIo);
  }
  if (!isCulprit) CHECK(codeOf([&] { world.barrier(inSeconds(20)); }) == ErrorCode::kAborted);
  renew(world);
  checkGate(world, gate);
}

void checkMismatch(World& world) {
  if (world.info().worldSize == 1) return;
  // Rank 0 alone is in a maximum, which sends to rank 1 and hears the last rank: these see two kinds of call meet.
  const int rank = world.info().rank;
  CHECK(codeOf([&] {
          if (rank == 0) {
            world.allreduceMax(1, inSeconds(20));
          } else {
            world.allgather(Bytes(1, 1), inSeconds(1));
          }
        }) == (rank <= 1 ? ErrorCode::kState : ErrorCode::kTimeout));
  renew(world);
  checkCollectives(world);
}

void checkPlaces() {
  WorldInfo info;
  info.rank = 5;
  info.worldSize = 6;
  placeRank(info, {0, 1, 0, 1, 0, 0}, 0);
  CHECK_EQUAL(info.host, 0);
  CHECK_EQUAL(info.hostRank, 3);
  CHECK_EQUAL(info.hostSize, 4);
  CHECK_EQUAL(info.numNodes, 2);
  placeRank(info, {0, 1, 0, 1, 0, 0}, 3);  // the host of four becomes nodes of three and one
  CHECK_EQUAL(info.numNodes, 3);
  CHECK_EQUAL(info.node, 2);
  CHECK_EQUAL(info.localSize, 1);
  CHECK(info.nodeOfRank == std::vector<int>({0, 1, 0, 1, 0, 2}));
  CHECK(codeOf([&] { placeRank(info, {0, 0, 1, 0, 0, 0}, 0); }) == ErrorCode::kWorldLost);
  CHECK(codeOf([&] { placeRank(info, {0, 0, 7, 0, 0, 0}, 0); }) == ErrorCode::kWorldLost);
}

// Every call of a world that is down is answered at once, and says so.
void checkAfterEnd(World& world) {
  CHECK(codeOf([&] {
          settle([&](ControlThread::Opened done) { world.startRenew(inSeconds(20), std::move(done)); });
        }) == ErrorCode::kState);
  CHECK(codeOf([&] {
          settle([&](ControlThread::Opened done) { world.startFinalize(inSeconds(20), std::move(done)); });
        }) == ErrorCode::kState);
  CHECK(codeOf([&] {
          settle([&](ControlThread::Opened done) {
            world.startBarrier(inSeconds(20),
                               [done](std::exception_ptr failure, std::vector<Bytes>) { done(failure); });
          });
        }) == ErrorCode::kState);
  CHECK(codeOf([&] { world.allgather(Bytes(1, 1), inSeconds(20)); }) == ErrorCode::kState);
  world.failEpoch();
}

int runAll(const char* plugin, int ranksPerNode) {
  static RunControl control;
  checkPlaces();
  const std::shared_ptr<World> world = openWorld(plugin, ranksPerNode, control);
  WorldGate gate(world);
  checkCollectives(*world);
  checkGate(*world, gate);
  checkAbsence(*world, gate);
  checkFailure(*world, gate, 0);
  checkFailure(*world, gate, world->info().worldSize - 1);
  checkMismatch(*world);
  settle([&](ControlThread::Opened done) { world->startFinalize(inSeconds(20), std::move(done)); });
  checkAfterEnd(*world);
  if (world->info().rank == 0) {
    std::printf("%s, %d ranks on %d nodes\n", world->info().mpiName.c_str(), world->info().worldSize,
                world->info().numNodes);
  }
  return test::failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace railrunner

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int status = railrunner::runAll(argv[1], std::atoi(argv[2]));
  std::fflush(nullptr);
  _exit(status);
}
