// links: core/error.cc world/heartbeat.cc world/mail_plan.cc world/mailbox.cc
// Messages, bytes and time of the control plane for worlds of up to 16,384 ranks: its own code over a simulated MPI
// (simulated_mpi.h has the model: 2 us per message on the wire, 0.5 us of CPU at each end, 10 GB/s). Prints CSV. The
// baseline in each row is the exchange in which every rank tells every other, as it was before.
#include <algorithm>
#include <cstdio>
#include <functional>

#include "test/support/simulated_world.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr size_t kRecordBytes = 8;

// What an allgather was: one round of n - 1 messages.
class EveryoneTellsEveryone : public MailPlan {
 public:
  EveryoneTellsEveryone(int rank, int worldSize) : rank_(rank), worldSize_(worldSize) {}
  Round begin(uint32_t round) override {
    if (round > 0) return {true, {}, {}};
    Round result;
    for (int peer = 0; peer < worldSize_; ++peer) {
      if (peer == rank_) continue;
      result.sends.emplace_back(peer, Bytes(kRecordBytes));
      result.sources.push_back(peer);
    }
    return result;
  }
  void end(uint32_t, std::vector<Bytes>) override {}

 private:
  int rank_;
  int worldSize_;
};

struct Figures {
  uint64_t mostMessages = 0;
  uint64_t mostBytes = 0;
  double timeUs = 0;
};

Figures figuresOf(const SimulatedMpi& mpi, int64_t beginNs) {
  Figures figures;
  for (size_t rank = 0; rank < mpi.sent.size(); ++rank) {
    figures.mostMessages = std::max(figures.mostMessages, mpi.sent[rank].messages);
    figures.mostBytes = std::max(figures.mostBytes, mpi.sent[rank].bytes);
    figures.timeUs = std::max(figures.timeUs, static_cast<double>(mpi.clockNs[rank] - beginNs) * 1e-3);
  }
  return figures;
}

void print(const char* exchange, int ranks, const Figures& figures) {
  std::printf("%s,%d,%llu,%llu,%.1f\n", exchange, ranks,
              static_cast<unsigned long long>(figures.mostMessages),
              static_cast<unsigned long long>(figures.mostBytes), figures.timeUs);
  std::fflush(stdout);
}

Figures exchanged(int ranks, const std::function<std::unique_ptr<MailPlan>(int)>& planOf) {
  SimulatedMail mail(ranks);
  mail.exchange(planOf);
  return figuresOf(mail.mpi, 0);
}

// The busiest rank in one period in which each rank beats once.
void beat(int ranks) {
  SimulatedHeartbeats world(ranks);
  world.pass(4 * Heartbeat::kPeriodNs, Heartbeat::kPeriodNs / 3);
  const std::vector<SimulatedMpi::Counts> before = world.mpi.sent;
  std::vector<uint64_t> heardBefore = world.mpi.received;
  world.pass(4 * Heartbeat::kPeriodNs, Heartbeat::kPeriodNs / 3);
  Figures figures;
  for (size_t rank = 0; rank < before.size(); ++rank) {
    const uint64_t messages =
        world.mpi.sent[rank].messages - before[rank].messages + world.mpi.received[rank] - heardBefore[rank];
    figures.mostMessages = std::max(figures.mostMessages, messages / 4);
    figures.mostBytes = std::max(figures.mostBytes, (world.mpi.sent[rank].bytes - before[rank].bytes) / 4);
  }
  print("heartbeats per period", ranks, figures);
}

}  // namespace

int main(int argc, char** argv) {
  const int most = argc > 1 ? std::atoi(argv[1]) : 16384;
  constexpr int kMostDirect = 2048;  // n^2 messages: more take minutes and tell nothing new
  std::printf("exchange,ranks,messages_per_rank,bytes_per_rank,time_us\n");
  for (int ranks = 16; ranks <= most; ranks *= 2) {
    std::vector<int> all;
    for (int rank = 0; rank < ranks; ++rank) all.push_back(rank);
    const Bytes record(kRecordBytes);
    print("allgather", ranks,
          exchanged(ranks, [&](int rank) { return std::make_unique<AllgatherPlan>(rank, ranks, record); }));
    if (ranks <= kMostDirect) {
      print("allgather: each tells each", ranks,
            exchanged(ranks, [&](int rank) { return std::make_unique<EveryoneTellsEveryone>(rank, ranks); }));
    }
    print("maximum", ranks, exchanged(ranks, [&](int rank) {
            return std::make_unique<MaximumPlan>(all, static_cast<size_t>(rank), 1);
          }));
    beat(ranks);
  }
  return 0;
}
