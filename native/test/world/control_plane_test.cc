// links: core/error.cc world/heartbeat.cc world/mail_plan.cc world/mailbox.cc
// Messages of the control plane in worlds of any size, over an MPI that is simulated: contents, numbers of messages,
// hostile bytes, and the tree of heartbeats when a rank in the middle of it falls silent.
#include <bit>
#include <functional>

#include "test/support/named_cases.h"
#include "test/support/simulated_world.h"
#include "world/heartbeat_tree.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

Bytes bytesOf(int rank) { return Bytes(static_cast<size_t>(rank % 7), static_cast<uint8_t>(rank)); }

uint32_t roundsOf(int worldSize) { return std::bit_width(static_cast<uint32_t>(worldSize - 1)); }

const Bytes kRecord{1, 0, 0, 0, 9};

}  // namespace

TEST("an allgather gives every rank the bytes of all, in worlds of 1 to 70 ranks") {
  for (int size = 1; size <= 70; ++size) {
    SimulatedMail mail(size);
    const auto tasks =
        mail.exchange([&](int rank) { return std::make_unique<AllgatherPlan>(rank, size, bytesOf(rank)); });
    for (const MailTaskPointer& task : tasks) {
      expectEqual(task->state.load(), static_cast<uint32_t>(MailTask::kDone), "over");
      const auto all = static_cast<const AllgatherPlan&>(*task->plan).result();
      expectEqual(all.size(), static_cast<size_t>(size), "records");
      for (int rank = 0; rank < size; ++rank)
        ok(all[static_cast<size_t>(rank)] == bytesOf(rank), "the bytes of rank " + std::to_string(rank));
    }
  }
}

TEST("above 16 ranks an allgather and a maximum take ceil(log2 n) messages per rank") {
  for (const int size : {17, 32, 33, 100, 256, 1000}) {
    SimulatedMail gathering(size);
    gathering.exchange([&](int rank) { return std::make_unique<AllgatherPlan>(rank, size, bytesOf(rank)); });
    SimulatedMail maximum(size);
    std::vector<int> ranks;
    for (int rank = 0; rank < size; ++rank) ranks.push_back(rank);
    const auto tasks = maximum.exchange([&](int rank) {
      return std::make_unique<MaximumPlan>(ranks, static_cast<size_t>(rank),
                                           static_cast<uint64_t>(rank * 7 % size));
    });
    for (int rank = 0; rank < size; ++rank) {
      const auto at = static_cast<size_t>(rank);
      expectEqual(gathering.mpi.sent[at].messages, uint64_t{roundsOf(size)}, "messages of an allgather");
      expectEqual(maximum.mpi.sent[at].messages, uint64_t{roundsOf(size)}, "messages of a maximum");
      uint64_t highest = 0;
      for (int other = 0; other < size; ++other)
        highest = std::max(highest, static_cast<uint64_t>(other * 7 % size));
      expectEqual(static_cast<const MaximumPlan&>(*tasks[at]->plan).maximum(), highest, "maximum");
    }
  }
}

TEST("records that do not fit their message are refused by the rank that sent them") {
  const auto refused = [](const Bytes& message, const std::string& part) {
    AllgatherPlan plan(0, 40, Bytes{7});
    plan.begin(0);
    throws(ErrorCode::kWorldLost, "rank 39 sent", [&] { plan.end(0, {message}); });
    AllgatherPlan again(0, 40, Bytes{7});
    again.begin(0);
    throws(ErrorCode::kWorldLost, part, [&] { again.end(0, {message}); });
  };
  refused({}, "record 0 of 1 does not fit");
  refused({5, 0, 0, 0, 1}, "record 0 of 1 does not fit");
  refused({255, 255, 255, 255, 1}, "record 0 of 1 does not fit");
  refused({1, 0, 0, 0, 9, 9}, "1 bytes are left");
  AllgatherPlan plan(0, 40, Bytes{7});
  plan.begin(0);
  plan.end(0, {kRecord});
  throws(ErrorCode::kWorldLost, "record 1 of 2", [&] { plan.end(1, {kRecord}); });
  throws(ErrorCode::kWorldLost, "expected 8 bytes, received 3", [] {
    MaximumPlan maximum({0, 1}, 0, 1);
    maximum.begin(0);
    maximum.end(0, {Bytes(3)});
  });
}

TEST("what MPI cannot count in an int is refused, before it would wrap") {
  const uint8_t one = 0;
  for (const uint64_t bytes : {uint64_t{INT32_MAX}, uint64_t{UINT32_MAX} - 8, uint64_t{1} << 40}) {
    throws(ErrorCode::kArgument, "expected at most 214747", [&] { AllgatherPlan(0, 2, {&one, bytes}); });
    throws(ErrorCode::kArgument, "Send it in parts", [&] { Mailbox::messageBytes(bytes); });
  }
  throws(ErrorCode::kArgument, "", [] { Mailbox::messageBytes(UINT64_MAX); });
  ok(Mailbox::messageBytes(1000) > 1000, "what it can");
}

TEST("the tree of heartbeats: each rank has one parent, and no rank more than 33 neighbours") {
  for (const int size : {1, 2, 33, 34, 1057, 5000}) {
    std::vector<int> children(static_cast<size_t>(size));
    for (int rank = 1; rank < size; ++rank) ++children[static_cast<size_t>(HeartbeatTree::parentOf(rank))];
    for (int rank = 0; rank < size; ++rank) {
      const auto neighbours = HeartbeatTree::neighboursOf(rank, size);
      const int parents = rank == 0 ? 0 : 1;
      expectEqual(static_cast<int>(neighbours.size()), children[static_cast<size_t>(rank)] + parents,
                  "neighbours");
      ok(neighbours.size() <= HeartbeatTree::kFanOut + 1, "few neighbours");
      ok(HeartbeatTree::isBelow(rank, 0), "below rank 0");
    }
  }
}

TEST("rank 0 knows where every rank is, and every rank where rank 0 is") {
  constexpr int kSize = 1500;  // three levels
  SimulatedHeartbeats world(kSize);
  for (int rank = 0; rank < kSize; ++rank)
    world.beats[static_cast<size_t>(rank)]->setPlace("stage" + std::to_string(rank), rank);
  world.pass(1'000'000'000);
  const auto all = world.beats[0]->liveness();
  expectEqual(all.size(), size_t{kSize}, "ranks");
  for (const RankLiveness& each : all) {
    expectEqual(each.stage, "stage" + std::to_string(each.rank), "stage");
    expectEqual(each.point, int64_t{each.rank}, "point");
  }
  for (const int rank : {1, 32, 33, 1499}) {
    const auto known = world.beats[static_cast<size_t>(rank)]->liveness();
    expectEqual(known.front().stage, std::string("stage0"),
                "rank 0, as rank " + std::to_string(rank) + " knows it");
  }
}

TEST("a rank with others below it falls silent: it is named, by every rank") {
  constexpr int kSize = 1200;
  constexpr int kSilent = 3;  // parent of 97 to 128
  SimulatedHeartbeats world(kSize);
  world.pass(1'000'000'000);
  world.mpi.isGone[kSilent] = 1;
  world.pass(4'000'000'000);
  for (const auto& beat : world.beats) expectEqual(beat->deadRank(), -1, "before its time is up");
  world.pass(3'000'000'000);
  for (int rank = 0; rank < kSize; ++rank) {
    if (rank != kSilent)
      expectEqual(world.beats[static_cast<size_t>(rank)]->deadRank(), kSilent, "dead rank");
  }
}

int main() { return runAll(); }
