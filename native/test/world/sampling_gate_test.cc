// Ranks as threads of one process, made for ThreadSanitizer: a missing ordering in the gate is a report here.
// links: core/error.cc world/node_block.cc world/sampling_gate.cc
#include "world/sampling_gate.h"

#include <barrier>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/sampler.h"
#include "core/wait.h"
#include "test/support/check.h"

namespace railrunner {
namespace {

// Nodes of one process: what the control plane does between their first ranks.
class ThreadNodes {
 public:
  explicit ThreadNodes(int numNodes) : numNodes_(numNodes) {}

  uint32_t merge(uint32_t stop, uint32_t epoch, uint64_t sequence, const RunControl& control) {
    Meeting* meeting = nullptr;
    {
      std::lock_guard lock(mutex_);
      auto& entry = meetings_[{epoch, sequence}];
      if (!entry) entry = std::make_unique<Meeting>();
      meeting = entry.get();
    }
    uint32_t seen = meeting->stop.load();
    while (seen < stop && !meeting->stop.compare_exchange_weak(seen, stop)) {
    }
    meeting->arrived.fetch_add(1);
    waitUntil([&] { return meeting->arrived.load() == numNodes_ || failedEpoch_.load() == epoch; }, control,
              0, "the other nodes");
    if (meeting->arrived.load() != numNodes_) return static_cast<uint32_t>(StopReason::kFailure);
    return meeting->stop.load();
  }
  void fail(uint32_t epoch) { failedEpoch_.store(epoch); }

 private:
  struct Meeting {
    std::atomic<uint32_t> stop{0};
    std::atomic<int> arrived{0};
  };
  int numNodes_;
  std::mutex mutex_;
  std::map<std::pair<uint32_t, uint64_t>, std::unique_ptr<Meeting>> meetings_;
  std::atomic<uint32_t> failedEpoch_{0};
};

// One simulated rank.
struct ThreadRank : GateLink {
  ThreadRank(int worldRank, int firstOfNode, NodeBlock& block, int numNodes, ThreadNodes& between)
      : rank(worldRank),
        first(firstOfNode),
        nodes(between),
        place{1, 0, worldRank - firstOfNode, numNodes},
        gate(block, place, *this, control) {}

  uint32_t mergeStop(uint32_t stop, uint32_t epoch, uint64_t sequence) override {
    return nodes.merge(stop, epoch, sequence, control);
  }
  void announceFailure() override { nodes.fail(place.epoch); }
  int worldRank(int localRank) const override { return first + localRank; }
  void renew(uint32_t epoch) {
    place.epoch = epoch;
    place.sequence = 0;
    control.abort.store(0);
  }

  int rank;
  int first;
  ThreadNodes& nodes;
  RunControl control;
  GatePlace place;
  SamplingGate gate;
};

class Harness {
 public:
  Harness(int numNodes, int ranksPerNode) : nodes_(numNodes) {
    for (int node = 0; node < numNodes; ++node) {
      blocks_.push_back(NodeBlock::create(ranksPerNode, false));
      for (int local = 0; local < ranksPerNode; ++local) {
        const int first = node * ranksPerNode;
        ranks_.push_back(
            std::make_unique<ThreadRank>(first + local, first, *blocks_.back(), numNodes, nodes_));
      }
    }
  }
  int size() const { return static_cast<int>(ranks_.size()); }
  ThreadRank& rank(int index) { return *ranks_[static_cast<size_t>(index)]; }
  void renew(uint32_t epoch) {
    for (auto& entry : ranks_) entry->renew(epoch);
  }
  void run(const std::function<void(ThreadRank&)>& body) {
    std::vector<std::thread> threads;
    for (auto& entry : ranks_) threads.emplace_back([&body, &rank = *entry] { body(rank); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  ThreadNodes nodes_;
  std::vector<std::unique_ptr<NodeBlock>> blocks_;
  std::vector<std::unique_ptr<ThreadRank>> ranks_;
};

// Unsynchronized on purpose: every rank writes its own entry between gates and reads all others' after the
// next, so a gate that lets a rank through early is a data race that the sanitizer sees.
void checkOrder(Harness& harness, int gates) {
  std::vector<int> written(static_cast<size_t>(harness.size()), 0);
  harness.run([&](ThreadRank& rank) {
    for (int i = 1; i <= gates; ++i) {
      written[static_cast<size_t>(rank.rank)] = i;
      CHECK_EQUAL(rank.gate.arrive(0), 0U);
      for (const int value : written) CHECK_EQUAL(value, i);
      CHECK_EQUAL(rank.gate.arrive(0), 0U);
      CHECK(rank.gate.lastSkewUs() >= 0);
    }
  });
}

struct CountingOperation {
  void beforeSample(uint32_t, bool) {}
  double run() {
    if (++runs == throwAt) throw Error(ErrorCode::kIo, "planted");
    return 1.0;
  }
  uint32_t runs = 0;
  uint32_t throwAt = 0;
};

// A stop word that comes from one rank at an arbitrary time ends the loop of all at the same sample.
void checkStop(Harness& harness) {
  std::vector<size_t> samples(static_cast<size_t>(harness.size()), 0);
  harness.run([&](ThreadRank& rank) {
    CountingOperation operation;
    rank.control.stop.store(0);
    std::thread signal;
    if (rank.rank == harness.size() - 1) {
      signal = std::thread([&rank] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        rank.control.stop.store(static_cast<uint32_t>(StopReason::kSignal));
      });
    }
    const SampleSet set = sample(operation, rank.gate, {2, 1'000'000, false}, rank.control);
    if (signal.joinable()) signal.join();
    CHECK(set.stopped);
    samples[static_cast<size_t>(rank.rank)] = set.timesUs.size();
    rank.control.stop.store(0);
  });
  for (const size_t count : samples) CHECK_EQUAL(count, samples[0]);
}

// One rank never comes: the others are told to stop waiting, know whom they waited for, and a new epoch
// works. Those of its own node are told once they name it, however long the rest of the node takes to come.
void checkAbort(Harness& harness, int absentee, uint32_t nextEpoch) {
  harness.run([&](ThreadRank& rank) {
    CHECK_EQUAL(rank.gate.arrive(0), 0U);
    if (rank.rank == absentee) return;
    const bool sameNode = harness.rank(absentee).first == rank.first;
    rank.control.awaitedPeer.store(-1);
    std::thread deadline([&] {
      const int64_t limitNs = nowNs() + (sameNode ? 20'000'000'000 : 100'000'000);
      while (!(sameNode && rank.control.awaitedPeer.load() == absentee) && nowNs() < limitNs)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      rank.control.abort.store(1);
    });
    bool aborted = false;
    try {
      rank.gate.arrive(0);
    } catch (const Error& error) {
      aborted = error.code() == ErrorCode::kAborted;
    }
    CHECK(aborted);
    deadline.join();
    if (sameNode) CHECK_EQUAL(rank.control.awaitedPeer.load(), absentee);
  });
  harness.renew(nextEpoch);
  checkOrder(harness, 20);
}

// One rank's operation throws: the others leave the loop without any deadline, and a new epoch works.
void checkFailure(Harness& harness, int culprit, uint32_t nextEpoch) {
  harness.run([&](ThreadRank& rank) {
    CountingOperation operation;
    if (rank.rank == culprit) operation.throwAt = 7;
    bool threw = false;
    try {
      const SampleSet set = sample(operation, rank.gate, {0, 100, false}, rank.control);
      CHECK(set.stopped);
    } catch (const Error& error) {
      threw = error.code() == ErrorCode::kIo;
    }
    CHECK_EQUAL(threw, rank.rank == culprit);
  });
  harness.renew(nextEpoch);
  checkOrder(harness, 20);
}

// One rank gives up while the others wait for it at a gate: those of its node leave with its name, which their verdict needs if
// their own deadline comes next.
void checkGivenUp(Harness& harness, int culprit, uint32_t nextEpoch) {
  harness.run([&](ThreadRank& rank) {
    const auto isNeighbour = [&](int other) { return harness.rank(other).first == rank.first; };
    rank.control.awaitedPeer.store(-1);
    CHECK_EQUAL(rank.gate.arrive(0), 0U);
    if (rank.rank != culprit) {
      CHECK_EQUAL(rank.gate.arrive(0), static_cast<uint32_t>(StopReason::kFailure));
      if (isNeighbour(culprit)) CHECK_EQUAL(rank.control.awaitedPeer.load(), culprit);
      return;
    }
    const int64_t limitNs = nowNs() + 20'000'000'000;
    for (int other = 0; other < harness.size(); ++other) {
      while (other != culprit && isNeighbour(other) &&
             harness.rank(other).control.awaitedPeer.load() != culprit && nowNs() < limitNs)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    rank.gate.fail();
  });
  harness.renew(nextEpoch);
  checkOrder(harness, 20);
}

template <class Body>
void expectRefused(const char* what, Body&& body) {
  bool refused = false;
  try {
    body();
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kArgument || error.code() == ErrorCode::kIo;
  }
  if (!refused) std::fprintf(stderr, "%s: was accepted\n", what);
  CHECK(refused);
}

// Handles come over the wire: each lie is refused before anything is mapped or written.
void checkHostileHandles() {
  const auto block = NodeBlock::create(4, false);
  const NodeBlockHandle good = block->handle();
  CHECK_EQUAL(NodeBlock::open(good, 4)->header().nonce, good.nonce);
  const auto expect = [&](const char* what, const std::function<void(NodeBlockHandle&)>& spoil) {
    NodeBlockHandle handle = good;
    spoil(handle);
    expectRefused(what, [&] { NodeBlock::open(handle, 4); });
  };
  expect("magic", [](NodeBlockHandle& h) { h.magic = 1; });
  expect("size", [](NodeBlockHandle& h) { h.localSize = 1 << 30; });
  expect("negative size", [](NodeBlockHandle& h) { h.localSize = -4; });
  expect("nonce", [](NodeBlockHandle& h) { h.nonce ^= 1; });
  expect("descriptor of something else", [](NodeBlockHandle& h) { h.descriptor = 2; });
  expect("descriptor that is closed", [](NodeBlockHandle& h) { h.descriptor = 999; });
  expect("process", [](NodeBlockHandle& h) { h.processId = -1; });
  expect("process that is gone", [](NodeBlockHandle& h) { h.processId = 0x3fffffff; });
  expect("name of another's segment",
         [](NodeBlockHandle& h) { std::snprintf(h.name, sizeof h.name, "/other"); });
  expect("name with a path",
         [](NodeBlockHandle& h) { std::snprintf(h.name, sizeof h.name, "/railrunner./../x"); });
  expect("name without an end", [](NodeBlockHandle& h) { std::memset(h.name, 'a', sizeof h.name); });
  expectRefused("another number of ranks", [&] { NodeBlock::open(good, 5); });
  const auto named = NodeBlock::create(2, true);
  CHECK_EQUAL(NodeBlock::open(named->handle(), 2)->localSize(), 2);
  named->unlinkName();
  expectRefused("a name that was removed", [&] { NodeBlock::open(named->handle(), 2); });
  const NodeBlockHandle givenUp = NodeBlock::create(2, true)->handle();
  expectRefused("a name whose maker went before anybody mapped it", [&] { NodeBlock::open(givenUp, 2); });
}

void checkAll(int numNodes, int ranksPerNode) {
  std::printf("%d nodes of %d ranks\n", numNodes, ranksPerNode);
  Harness harness(numNodes, ranksPerNode);
  const int last = harness.size() - 1;
  checkOrder(harness, 500);
  checkStop(harness);
  checkAbort(harness, last, 2);
  checkAbort(harness, 0, 3);
  checkFailure(harness, last, 4);
  checkFailure(harness, 0, 5);
  checkGivenUp(harness, last, 6);
  checkGivenUp(harness, 0, 7);
  checkStop(harness);
}

}  // namespace
}  // namespace railrunner

int main() {
  railrunner::checkHostileHandles();
  railrunner::checkAll(1, 4);
  railrunner::checkAll(3, 2);
  std::printf("failures: %d\n", railrunner::test::failures.load());
  return railrunner::test::failures == 0 ? 0 : 1;
}
