// links: core/agreement.cc core/byte_record.cc core/error.cc network/arrivals.cc network/scattered_frame.cc network/ucx_settings.cc
// The network module's parts without UCX: records and counting, hostile bytes, the trigger ring on threads (run
// under ThreadSanitizer too). `network_units_test CASE` runs one case, `network_units_test` lists them.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/agreement.h"
#include "network/arrivals.h"
#include "network/peer_board.h"
#include "network/scattered_frame.h"
#include "network/trigger_fifo.h"
#include "network/ucx_settings.h"
#include "test/network/host_ring.h"
#include "test/support/case_by_name.h"
#include "test/support/expect.h"

namespace railrunner::test {
namespace {

FrameRecord payloadAt(uint32_t slot, uint64_t epoch, uint64_t offset, uint64_t bytes) {
  return {RecordKind::kPayload, 0, slot, epoch, offset, bytes, 0};
}
FrameRecord signalAt(uint32_t slot, uint64_t epoch, uint64_t offset, uint64_t count, uint64_t value) {
  return {RecordKind::kSignal, 0, slot, epoch, offset, count, value};
}

struct Fixture {
  std::vector<uint64_t> memory = std::vector<uint64_t>(64);
  std::vector<ArrivalRegion> regions{{reinterpret_cast<uint8_t*>(memory.data()), 512}};
  ArrivalTable table{2, 4, regions, false};
  uint64_t word = 42;
  const char* apply(const FrameRecord& record) {
    return table.apply(1, record, reinterpret_cast<const uint8_t*>(&word));
  }
};

// Every order of seven payloads and their signal: the word is published by the last of them, never before.
int anyOrderPublishesOnce() {
  std::vector<int> order{0, 1, 2, 3, 4, 5, 6, 7};
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    Fixture fixture;
    for (size_t i = 0; i < order.size(); ++i) {
      EXPECT(fixture.memory[63] == 0, "published after %zu of 8 records", i);
      const uint64_t offset = static_cast<uint64_t>(order[i]) * 8;
      const char* fault =
          fixture.apply(order[i] == 7 ? signalAt(2, 9, 504, 7, 77) : payloadAt(2, 9, offset, 8));
      EXPECT(fault == nullptr, "%s", fault);
    }
    EXPECT(fixture.memory[63] == 77, "not published");
    EXPECT(std::count(fixture.memory.begin(), fixture.memory.end(), 42) == 7, "payloads are missing");
  }
  return 0;
}

// What UCX takes out of a scattered frame, in ranges of any length, is the frame; also where it restarts.
int scatteredFramesAreWhole() {
  std::mt19937 random(7);
  std::vector<uint8_t> memory(1 << 16);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<uint8_t>(i * 131 + i / 256);
  ScatteredFrame frame;
  for (int round = 0; round < 500; ++round) {
    frame.clear();
    std::vector<uint8_t> whole;
    for (uint32_t i = random() % 40; i > 0; --i) {
      const size_t at = random() % memory.size();
      const size_t bytes = random() % std::min<size_t>(memory.size() - at, 700);
      frame.add(memory.data() + at, bytes);
      whole.insert(whole.end(), memory.begin() + static_cast<ptrdiff_t>(at),
                   memory.begin() + static_cast<ptrdiff_t>(at + bytes));
    }
    EXPECT(frame.bytes() == whole.size(), "%lu bytes, expected %zu", frame.bytes(), whole.size());
    for (const uint64_t most : {uint64_t{1} << 20, uint64_t{random() % 900 + 1}, uint64_t{8192}}) {
      std::vector<uint8_t> got(whole.size() + 8, 0xee);
      uint64_t done = 0;
      while (done < whole.size()) {
        const uint64_t now = frame.take(done, got.data() + done, std::min(most, whole.size() - done));
        EXPECT(now > 0, "nothing more at %lu of %zu bytes", done, whole.size());
        done += now;
      }
      EXPECT(std::equal(whole.begin(), whole.end(), got.begin()), "round %d: bytes differ", round);
      EXPECT(frame.take(done, got.data() + done, 8) == 0 && got[done] == 0xee, "bytes behind the end");
    }
  }
  const uint8_t* begin = memory.data();
  frame.clear();
  frame.add(begin, 10);
  frame.add(begin + 10, 6);
  EXPECT(frame.numPieces() == 1 && frame.bytes() == 16, "neighbours are %zu pieces", frame.numPieces());
  return 0;
}

// The user's choice is kept but for what needs shared memory, which ranks of this network do not have.
int userTransportsAreKept() {
  const std::pair<const char*, const char*> kept[] = {
      {"", "^sm"},
      {"tcp", "tcp"},
      {"rc_x,sm,self,cuda_copy,cuda_ipc", "rc_x,cuda_copy"},
      {"posix,cma,\\sysv,\\rc_mlx5", "\\rc_mlx5"},
      {"nonsense", "nonsense"},  // UCX refuses it, by its name
      {"all", "^sm"},
      {"^tcp", "^tcp,sm"},
      {"^sm,ud", "^sm,ud"},
  };
  for (const auto& [asked, expected] : kept) {
    const std::string got = networkTransports(asked);
    EXPECT(got == expected, "UCX_TLS=%s gives %s, expected %s", asked, got.c_str(), expected);
  }
  for (const char* none : {"self", "sm", "shm,self,cuda_ipc"}) {
    std::string said;
    try {
      networkTransports(none);
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kNetworkMissing, "%s",
             std::string(errorCodeName(error.code())).c_str());
      said = error.what();
    }
    EXPECT(said.find(std::string("UCX_TLS=") + none) != std::string::npos, "said: %s", said.c_str());
  }
  return 0;
}

int epochsAndSlotsAreApart() {
  Fixture fixture;
  EXPECT(fixture.apply(payloadAt(0, 1, 0, 8)) == nullptr, "refused");
  EXPECT(fixture.apply(signalAt(1, 1, 504, 1, 1)) == nullptr, "refused");
  EXPECT(fixture.memory[63] == 0, "a payload of another slot was counted");
  EXPECT(fixture.apply(signalAt(0, 2, 496, 1, 2)) == nullptr, "refused");
  EXPECT(fixture.memory[62] == 0, "a payload of another epoch was counted");
  EXPECT(fixture.apply(payloadAt(0, 2, 8, 8)) == nullptr, "refused");
  EXPECT(fixture.memory[62] == 2, "epoch 2 was not published next to the open epoch 1");
  EXPECT(fixture.apply(signalAt(0, 1, 488, 1, 3)) == nullptr, "refused");
  EXPECT(fixture.memory[61] == 3, "epoch 1 was not published");
  fixture.table.acceptFrom(5);
  EXPECT(fixture.apply(signalAt(0, 4, 480, 0, 4)) == nullptr, "refused");
  EXPECT(fixture.memory[60] == 0 && fixture.table.staleRecords(1) == 1, "a stale signal was published");
  EXPECT(fixture.apply(signalAt(0, 5, 480, 0, 5)) == nullptr, "refused");
  EXPECT(fixture.memory[60] == 5, "a signal without payloads was not published");
  return 0;
}

int illegalRecordsAreRefused() {
  const std::vector<FrameRecord> illegal{
      payloadAt(4, 1, 0, 8),          payloadAt(0, 1, 512, 8),
      payloadAt(0, 1, 508, 8),        payloadAt(0, 1, UINT64_MAX, 8),
      payloadAt(0, 1, 8, UINT64_MAX), signalAt(0, 1, 505, 0, 1),
      signalAt(0, 1, 512, 0, 1),      signalAt(0, 1, UINT64_MAX - 7, 0, 1)};
  for (const FrameRecord& record : illegal) {
    Fixture fixture;
    EXPECT(fixture.apply(record) != nullptr, "offset %lu of %lu bytes was taken", record.offset,
           record.bytesOrCount);
    EXPECT(std::count(fixture.memory.begin(), fixture.memory.end(), 0) == 64, "memory was written");
  }
  Fixture fixture;
  EXPECT(fixture.apply(signalAt(0, 1, 504, 0, 1)) == nullptr, "refused");
  EXPECT(fixture.apply(payloadAt(0, 1, 0, 8)) != nullptr,
         "a payload after its signal was published was taken");
  EXPECT(fixture.apply(signalAt(1, 1, 504, 2, 1)) == nullptr, "refused");
  EXPECT(fixture.apply(signalAt(1, 1, 504, 2, 1)) != nullptr, "a second signal was taken");
  EXPECT(fixture.apply(signalAt(1, 5, 504, 2, 1)) != nullptr, "an epoch over the window was taken");
  return 0;
}

// Frames cut off and changed at random: nothing is read or written outside them (checked by AddressSanitizer),
// and no record that is visited claims more payload than there is.
int hostileFramesAreRefused() {
  std::mt19937_64 random(11);
  std::vector<uint8_t> whole;
  for (int i = 0; i < 4; ++i) {
    const FrameRecord record = i % 2 == 0 ? payloadAt(0, 1, 0, 24) : signalAt(0, 1, 0, 1, 1);
    const uint8_t* raw = reinterpret_cast<const uint8_t*>(&record);
    whole.insert(whole.end(), raw, raw + sizeof(record));
    if (i % 2 == 0) whole.resize(whole.size() + 24);
  }
  EXPECT(visitRecords(whole, [](const FrameRecord&, const uint8_t*) -> const char* { return nullptr; }) ==
             nullptr,
         "a whole frame was refused");
  int refused = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::vector<uint8_t> frame(whole.begin(),
                               whole.begin() + static_cast<long>(random() % (whole.size() + 1)));
    for (uint64_t flips = random() % 4; flips > 0 && !frame.empty(); --flips) {
      frame[random() % frame.size()] = static_cast<uint8_t>(random());
    }
    Fixture fixture;
    const uint8_t* end = frame.data() + frame.size();
    const char* fault =
        visitRecords(frame, [&](const FrameRecord& record, const uint8_t* payload) -> const char* {
          if (record.kind == RecordKind::kHello) return nullptr;
          EXPECT(record.kind != RecordKind::kPayload ||
                     record.bytesOrCount <= static_cast<uint64_t>(end - payload),
                 "a payload reaches beyond its frame");
          return fixture.table.apply(1, record, payload);
        });
    refused += fault != nullptr ? 1 : 0;
  }
  EXPECT(refused > 100'000, "only %d of 200000 broken frames were refused", refused);
  return 0;
}

class FixedExchange : public Exchange {
 public:
  explicit FixedExchange(std::function<std::vector<uint8_t>(std::vector<uint8_t>)> tamper)
      : tamper_(std::move(tamper)) {}
  uint32_t rank() const override { return 0; }
  uint32_t worldSize() const override { return 2; }
  std::vector<std::vector<uint8_t>> allgather(std::span<const uint8_t> mine, int64_t) override {
    const std::vector<uint8_t> own(mine.begin(), mine.end());
    return {own, tamper_(own)};
  }

 private:
  std::function<std::vector<uint8_t>(std::vector<uint8_t>)> tamper_;
};

// What a peer's setup record does to us when it is cut off, too long, or claims a length it does not have.
int hostileSetupIsRefused() {
  using Bytes = std::vector<uint8_t>;
  const std::map<std::string, std::function<Bytes(Bytes)>> tampers{
      {"empty", [](Bytes) { return Bytes{}; }},
      {"cut off", [](Bytes own) { return Bytes(own.begin(), own.end() - 1); }},
      {"too long",
       [](Bytes own) {
         own.push_back(0);
         return own;
       }},
      {"a text of 2^64-1 bytes",
       [](Bytes own) {
         std::fill_n(own.begin() + 16, 8, 0xff);
         return own;
       }},
      {"a payload of 2^56 bytes",
       [](Bytes own) {
         own[31] = 1;
         return own;
       }},
      {"an unknown error code",
       [](Bytes own) {
         own[0] = 0;
         own[9] = 1;
         return own;
       }},
  };
  for (const auto& [name, tamper] : tampers) {
    FixedExchange exchange(tamper);
    try {
      Agreement(exchange, "a test", 0).run([] { return Bytes(16, 3); });
      EXPECT(false, "a record that is %s was taken", name.c_str());
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kWrongData, "%s: %s", name.c_str(), error.what());
      EXPECT(std::strstr(error.what(), "rank 1") != nullptr, "%s: %s", name.c_str(), error.what());
    }
  }
  return 0;
}

// Several producers, one consumer, a ring much smaller than the traffic: every trigger comes whole, once, and
// those of one producer in order.
int triggersKeepOrder() {
  constexpr uint32_t kProducers = 3;
  constexpr uint64_t kEach = 5'000;
  HostRing ring(8);
  const TriggerFifo& fifo = ring.fifo;
  uint32_t abort = 0;
  const auto isStopped = [&] { return __atomic_load_n(&abort, __ATOMIC_RELAXED) != 0; };
  std::vector<std::thread> producers;
  for (uint32_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (uint64_t i = 0; i < kEach; ++i) {
        const Trigger trigger{TriggerKind::kPut, p, p + 100, p + 200, i, i * 3, i * 5, i * 7};
        EXPECT(fifo.push(trigger, isStopped), "aborted");
      }
    });
  }
  uint64_t next = 0;
  std::vector<uint64_t> seen(kProducers);
  while (next < kProducers * kEach) {
    Trigger trigger;
    if (!fifo.pop(trigger, next)) {
      std::this_thread::yield();
      continue;
    }
    EXPECT(trigger.peer < kProducers, "a torn trigger: producer %u", trigger.peer);
    const uint64_t i = seen[trigger.peer]++;
    EXPECT(trigger.epoch == i && trigger.offset == i * 3 && trigger.sourceOrValue == i * 5 &&
               trigger.bytes == i * 7 && trigger.slot == trigger.peer + 100 &&
               trigger.region == trigger.peer + 200 && trigger.kind == TriggerKind::kPut,
           "trigger %lu of producer %u is torn or out of order", i, trigger.peer);
  }
  for (std::thread& producer : producers) producer.join();
  return 0;
}

int fullRingEndsByAbort() {
  HostRing ring(2);
  const TriggerFifo& fifo = ring.fifo;
  uint32_t abort = 0;
  const auto isStopped = [&] { return __atomic_load_n(&abort, __ATOMIC_RELAXED) != 0; };
  EXPECT(fifo.push({}, isStopped) && fifo.push({}, isStopped), "an empty ring was full");
  std::thread producer([&] { EXPECT(!fifo.push({}, isStopped), "a third trigger fitted into two entries"); });
  __atomic_store_n(&abort, 1, __ATOMIC_RELAXED);
  producer.join();
  return 0;
}

int firstReasonOfALossStays() {
  PeerBoard board(0, 3);
  board.throwIfAnyLost();
  board.markLost(2, "first");
  board.markLost(2, "second");
  board.throwIfLost(1);
  try {
    board.throwIfAnyLost();
    EXPECT(false, "a lost peer was not reported");
  } catch (const Error& error) {
    EXPECT(error.code() == ErrorCode::kNetwork, "%s", error.what());
    EXPECT(std::strstr(error.what(), "to rank 2: first") != nullptr, "%s", error.what());
  }
  board.setClosing();
  board.markLost(1, "closing");
  board.throwIfLost(1);
  return 0;
}

const CasesByName kCases = {
    {"any-order-publishes-once", anyOrderPublishesOnce},
    {"scattered-frames-are-whole", scatteredFramesAreWhole},
    {"user-transports-are-kept", userTransportsAreKept},
    {"epochs-and-slots-are-apart", epochsAndSlotsAreApart},
    {"illegal-records-are-refused", illegalRecordsAreRefused},
    {"hostile-frames-are-refused", hostileFramesAreRefused},
    {"hostile-setup-is-refused", hostileSetupIsRefused},
    {"triggers-keep-order", triggersKeepOrder},
    {"full-ring-ends-by-abort", fullRingEndsByAbort},
    {"first-reason-of-a-loss-stays", firstReasonOfALossStays},
};

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  return railrunner::test::runCaseByName(railrunner::test::kCases, argc, argv);
}
