// The collective module against a library that stands in for NCCL, ranks as threads.
//
// links: core/error.cc collective/nccl_results.cc collective/nccl_config.cc collective/bootstrap_record.cc
// links: collective/nccl_library.cc collective/communicator.cc
#include <dlfcn.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "collective/communicator.h"
#include "collective/nccl_config.h"
#include "collective/nccl_results.h"
#include "core/clock.h"
#include "test/collective/stand_in_nccl.h"
#include "test/support/check.h"

namespace railrunner::test {
namespace {

std::string standInPath;
StandInControl* standIn = nullptr;

struct Thrown {
  std::string code;
  std::string message;
};

Thrown thrownBy(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return {std::string(errorCodeName(error.code())), error.what()};
  }
  return {"nothing", ""};
}

void expectThrown(const std::function<void()>& body, const std::string& code, const std::string& part,
                  int line) {
  const Thrown thrown = thrownBy(body);
  checkEqual(thrown.code, code, "code thrown", line);
  if (thrown.message.find(part) == std::string::npos)
    checkEqual(thrown.message, part, "message thrown", line);
}
#define EXPECT_THROWN(body, code, part) expectThrown([&] { body; }, code, part, __LINE__)

int wordAt(const NcclConfigBlock& block, size_t offset) {
  int value = 0;
  std::memcpy(&value, block.data() + offset, sizeof(value));
  return value;
}

void records() {
  BootstrapRecord record;
  record.worldSize = 0x01020304;
  for (size_t i = 0; i < record.id.size(); ++i) record.id[i] = static_cast<uint8_t>(255 - i);
  const auto bytes = encodeRecord(record);
  CHECK_EQUAL(bytes.size(), size_t{136});
  CHECK_EQUAL(int{bytes[0]}, 4);
  CHECK_EQUAL(int{bytes[3]}, 1);
  CHECK_EQUAL(int{bytes[8]}, 255);
  CHECK(decodeRecord(bytes, 0x01020304).id == record.id);

  record.worldSize = 4;
  const auto good = encodeRecord(record);
  for (const size_t length : {size_t{0}, size_t{135}, size_t{137}}) {
    std::vector<uint8_t> cut(good.begin(), good.end());
    cut.resize(length);
    EXPECT_THROWN(decodeRecord(cut, 4), "E_ARGUMENT",
                  "expected 136 bytes, received " + std::to_string(length));
  }
  for (size_t i = 4; i < 8; ++i) {
    auto padded = good;
    padded[i] = 9;
    EXPECT_THROWN(decodeRecord(padded, 4), "E_ARGUMENT", "expected zero at byte " + std::to_string(i));
  }
  for (const int size : {0, -1, INT_MIN}) {
    record.worldSize = size;
    EXPECT_THROWN(decodeRecord(encodeRecord(record), size), "E_ARGUMENT", "received " + std::to_string(size));
  }
  EXPECT_THROWN(decodeRecord(good, 5), "E_ARGUMENT", "expected MPI's world size 5, received 4");
}

// Every int that any version from 2.18 to 2.32 reads must be set or say "not set" its way. Fields by the public
// headers: ints from 56 on, up to graphStreamOrdering at 92 in 2.30.5, and in 2.31 and 2.32 launchOrderImplicit,
// numRmaSig, rmaEagerInit, hostCftMode and nvlsHostMode at 96 to 112.
void configs() {
  for (const int version :
       {21800, 21805, 22005, 22407, 22602, 22703, 22809, 22903, 23003, 23007, 23100, 23200, 23301, 29900}) {
    const NcclConfigBlock block = makeNcclConfig(version, 8);
    uint64_t size = 0;
    std::memcpy(&size, block.data(), sizeof(size));
    CHECK_EQUAL(size, uint64_t{120});
    CHECK_EQUAL(static_cast<uint32_t>(wordAt(block, 8)), 0xcafebeefU);
    // A library newer than those known is told of the newest known one: it defaults what was added since.
    CHECK_EQUAL(wordAt(block, 12), std::min(version, 23200));
    CHECK_EQUAL(wordAt(block, 16), 0);
    CHECK_EQUAL(wordAt(block, 24), 1);
    CHECK_EQUAL(wordAt(block, 28), 8);
    for (const size_t pointer : {32, 36, 48, 52}) CHECK_EQUAL(wordAt(block, pointer), 0);
    for (const size_t word :
         {20, 40, 44, 56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96, 100, 104, 108, 112, 116}) {
      CHECK_EQUAL(wordAt(block, word), INT_MIN);
    }
  }
  const NcclConfigBlock open = makeNcclConfig(22809, std::nullopt);
  CHECK_EQUAL(wordAt(open, 24), INT_MIN);
  CHECK_EQUAL(wordAt(open, 28), INT_MIN);
  EXPECT_THROWN(makeNcclConfig(22809, 0), "E_ARGUMENT", "maxCtas: expected 1 or more, received 0");
  EXPECT_THROWN(makeNcclConfig(21702, 8), "E_NCCL_MISSING",
                "it is NCCL 2.17.2, 2.18 or newer of NCCL 2 is needed");
  EXPECT_THROWN(makeNcclConfig(30000, 8), "E_NCCL_MISSING", "it is NCCL 3.0.0");
  CHECK_EQUAL(ncclVersionText(22809), std::string("2.28.9"));
  CHECK_EQUAL(ncclVersionText(2804), std::string("2.8.4"));
}

void results() {
  const char* names[] = {"ncclSuccess",       "ncclUnhandledCudaError", "ncclSystemError",
                         "ncclInternalError", "ncclInvalidArgument",    "ncclInvalidUsage",
                         "ncclRemoteError",   "ncclInProgress",         "ncclTimeout"};
  for (int result = 0; result < 9; ++result) CHECK_EQUAL(ncclResultName(result), std::string(names[result]));
  CHECK_EQUAL(ncclResultName(42), std::string("unknown result 42"));
}

void missingLibraries() {
  EXPECT_THROWN(NcclLibrary::open({"/nowhere/libnccl.so.2", "libc.so.6"}), "E_NCCL_MISSING",
                "/nowhere/libnccl.so.2: ");
  EXPECT_THROWN(NcclLibrary::open({"/nowhere/libnccl.so.2", "libc.so.6"}), "E_NCCL_MISSING",
                "libc.so.6: it has no ncclGetVersion");
  EXPECT_THROWN(NcclLibrary::open({}), "E_NCCL_MISSING", "Looked for nothing");
  standIn->version = 21605;
  EXPECT_THROWN(NcclLibrary::open({standInPath}), "E_NCCL_MISSING",
                "it is NCCL 2.16.5, 2.18 or newer of NCCL 2 is needed");
  standIn->version = 30101;
  EXPECT_THROWN(NcclLibrary::open({standInPath}), "E_NCCL_MISSING", "it is NCCL 3.1.1");
  standIn->reset();
  CHECK_EQUAL(NcclLibrary::open({"/nowhere", standInPath})->path(), standInPath);
  // The file is said, whatever name it was found by.
  const std::string name = standInPath.substr(standInPath.rfind('/') + 1);
  CHECK_EQUAL(NcclLibrary::open({name})->path(), standInPath);
}

constexpr int kRanks = 4;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kCloseNs = 20 * kSecondNs;  // bounds a hang: what is tested ends by itself

// Runs `body` as that many ranks on one communicator each; what each threw, by rank.
std::vector<Thrown> onRanks(const std::function<void(Communicator&)>& body, int present = kRanks,
                            int64_t deadlineInNs = 20 * kSecondNs) {
  const auto library = NcclLibrary::open({standInPath});
  const BootstrapRecord record = library->makeRecord(kRanks);
  std::vector<Thrown> thrown(kRanks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < present; ++rank) {
    threads.emplace_back([&, rank] {
      thrown[static_cast<size_t>(rank)] = thrownBy([&] {
        RunControl control;
        const auto communicator =
            Communicator::open(library, record, {rank, 8, nowNs() + deadlineInNs}, control);
        body(*communicator);
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  return thrown;
}

void moveBytes(Communicator& communicator) {
  const int rank = communicator.rank();
  std::vector<uint8_t> broadcast(1000, static_cast<uint8_t>(rank == 2 ? 77 : 0));
  std::vector<uint8_t> second(10, static_cast<uint8_t>(rank == 2 ? 11 : 0));
  communicator.beginGroup();
  communicator.broadcast(broadcast.data(), broadcast.size(), 2, nullptr);
  communicator.broadcast(second.data(), second.size(), 2, nullptr);
  communicator.endGroup();
  CHECK(broadcast == std::vector<uint8_t>(1000, 77));
  CHECK(second == std::vector<uint8_t>(10, 11));
  std::vector<uint8_t> gathered(kRanks * 16);
  std::fill_n(gathered.begin() + rank * 16, 16, static_cast<uint8_t>(rank + 1));
  communicator.allGather(gathered.data(), 16, nullptr);
  for (int i = 0; i < kRanks * 16; ++i) CHECK_EQUAL(int{gathered[static_cast<size_t>(i)]}, i / 16 + 1);
  communicator.poll();
}

void goodWay() {
  standIn->reset();
  for (const Thrown& thrown : onRanks([](Communicator& communicator) {
         moveBytes(communicator);
         {
           const Communicator::Use use(communicator);
           EXPECT_THROWN(communicator.close(0), "E_STATE", "while it is in use");
         }
         communicator.close(nowNs() + kCloseNs);
         communicator.close(0);
         CHECK(!communicator.isOpen());
         EXPECT_THROWN(communicator.poll(), "E_STATE", "closed");
       })) {
    CHECK_EQUAL(thrown.message, std::string());
  }
  CHECK_EQUAL(standIn->destroyed.load(), kRanks);
  CHECK_EQUAL(standIn->aborted.load(), 0);
  CHECK_EQUAL(standIn->earlyCalls.load(), 0);
  NcclConfigBlock seen;
  std::memcpy(seen.data(), standIn->config.data(), seen.size());
  CHECK(seen == makeNcclConfig(22809, 8));
}

// Each class of error, from each call that can return it: named, and the communicator is aborted.
void everyError() {
  const StandInCall calls[] = {StandInCall::kInit,     StandInCall::kInitAsync,      StandInCall::kGroupStart,
                               StandInCall::kGroupEnd, StandInCall::kBroadcast,      StandInCall::kAllGather,
                               StandInCall::kFinalize, StandInCall::kCollectiveAsync};
  for (const StandInCall call : calls) {
    for (const int result : {1, 2, 3, 4, 5, 6, 8, 42}) {
      standIn->reset();
      standIn->set(call, result);
      const auto thrown = onRanks([](Communicator& communicator) {
        moveBytes(communicator);
        communicator.close(nowNs() + kCloseNs);
      });
      for (const Thrown& one : thrown) {
        CHECK_EQUAL(one.code, std::string("E_NCCL"));
        CHECK(one.message.find(ncclResultName(result)) != std::string::npos);
        CHECK(one.message.find("said by the stand-in") != std::string::npos);
        CHECK(one.message.find("NCCL_DEBUG=INFO") != std::string::npos);
      }
      // A communicator that init refused outright does not exist.
      CHECK_EQUAL(standIn->aborted.load(), call == StandInCall::kInit ? 0 : kRanks);
      CHECK_EQUAL(standIn->destroyed.load(), 0);
    }
  }
  standIn->reset();
  standIn->set(StandInCall::kGetUniqueId, 2);
  EXPECT_THROWN(NcclLibrary::open({standInPath})->makeRecord(2), "E_NCCL",
                "ncclGetUniqueId: ncclSystemError (2)");
  standIn->saysNothing = true;
  EXPECT_THROWN(NcclLibrary::open({standInPath})->makeRecord(2), "E_NCCL",
                "ncclGetUniqueId: ncclSystemError (2)");
  standIn->reset();
}

// A rank that never comes: the others leave at their deadline, and a new communicator works.
void deadBeforeInit() {
  standIn->reset();
  const int64_t startNs = nowNs();
  const auto thrown = onRanks([](Communicator&) { CHECK(false); }, kRanks - 1, kSecondNs / 5);
  CHECK(nowNs() - startNs < 60 * kSecondNs);  // a loaded machine starts threads late; a hang lasts for ever
  for (int rank = 0; rank < kRanks - 1; ++rank) {
    CHECK_EQUAL(thrown[static_cast<size_t>(rank)].code, std::string("E_TIMEOUT"));
  }
  CHECK_EQUAL(standIn->aborted.load(), kRanks - 1);
  goodWay();
}

// The root leaves in the middle of a group: the others are told to stop waiting, abort, and a new one works.
void deadInGroup() {
  standIn->reset();
  const auto library = NcclLibrary::open({standInPath});
  const BootstrapRecord record = library->makeRecord(kRanks);
  std::vector<RunControl> controls(kRanks);
  std::vector<Thrown> thrown(kRanks);
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([&, rank] {
      thrown[rank] = thrownBy([&] {
        const CommunicatorOptions options{static_cast<int>(rank), 8, nowNs() + 20 * kSecondNs};
        const auto communicator = Communicator::open(library, record, options, controls[rank]);
        if (rank == 0) {
          communicator->giveUp();
          for (RunControl& control : controls)
            control.abort = static_cast<uint32_t>(AbortReason::kPeerFailed);
          return;
        }
        std::vector<uint8_t> bytes(64);
        communicator->beginGroup();
        communicator->broadcast(bytes.data(), bytes.size(), 0, nullptr);
        communicator->endGroup();
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t rank = 1; rank < kRanks; ++rank) CHECK_EQUAL(thrown[rank].code, std::string("E_ABORTED"));
  CHECK_EQUAL(standIn->aborted.load(), kRanks);
  goodWay();
}

// NCCL 2.28.9: ranks that disagree on the size stay in progress, and only ncclGetLastError of the rank that made the
// id says why. The text is in what that rank throws, from which all rows have it.
void mismatchedSizes() {
  standIn->reset();
  const auto library = NcclLibrary::open({standInPath});
  std::vector<Thrown> thrown(2);
  const BootstrapRecord record = library->makeRecord(2);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      BootstrapRecord own = record;
      own.worldSize = 2 + rank;
      RunControl control;
      thrown[static_cast<size_t>(rank)] = thrownBy([&] {
        Communicator::open(library, own, {rank, 8, nowNs() + kSecondNs / 5}, control);
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Thrown& one : thrown) CHECK_EQUAL(one.code, std::string("E_TIMEOUT"));
  CHECK(thrown[0].message.find("NCCL's last words are \"Bootstrap Root : mismatch") != std::string::npos ||
        thrown[1].message.find("NCCL's last words are \"Bootstrap Root : mismatch") != std::string::npos);
  CHECK_EQUAL(standIn->aborted.load(), 2);
}

// Each id whose communicator does not come up leaves a thread and a listening socket of NCCL's behind (2.28.9): a
// sweep of failing points ends with a reason instead of using up the machine, and goes on to fail at once.
void failingOpensAreBounded() {
  standIn->reset();
  standIn->idsMade = 0;
  const auto library = NcclLibrary::open({standInPath});
  int refused = 0;
  for (int point = 0; point < 1000; ++point) {
    RunControl control;
    const Thrown thrown = thrownBy([&] {
      Communicator::open(library, library->makeRecord(2), {0, 8, nowNs() + 1}, control);
    });
    CHECK(thrown.code != "nothing");
    if (thrown.message.find("communicators of this run have not come up") != std::string::npos) ++refused;
  }
  CHECK(standIn->idsMade.load() <= static_cast<int>(NcclLibrary::kMostPendingIds));
  CHECK_EQUAL(refused + standIn->idsMade.load(), 1000);
}

// Ids whose communicators came up are not counted, however many there are.
void openedIdsAreNotCounted() {
  standIn->reset();
  const auto library = NcclLibrary::open({standInPath});
  for (size_t i = 0; i < 2 * NcclLibrary::kMostPendingIds; ++i) {
    RunControl control;
    const auto communicator =
        Communicator::open(library, library->makeRecord(1), {0, 8, nowNs() + kCloseNs}, control);
    communicator->close(nowNs() + kCloseNs);
  }
  CHECK_EQUAL(standIn->destroyed.load(), static_cast<int>(2 * NcclLibrary::kMostPendingIds));
  CHECK_EQUAL(standIn->earlyCalls.load(), 0);
}

// As above with the abort word, which is how a stage's deadline and a peer's failure end a wait.
void abortWordEndsWaits() {
  standIn->reset();
  const auto library = NcclLibrary::open({standInPath});
  const BootstrapRecord record = library->makeRecord(2);
  RunControl control;
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    control.abort.store(static_cast<uint32_t>(AbortReason::kPeerFailed));
  });
  // Without a deadline: only the word can end it.
  EXPECT_THROWN(Communicator::open(library, record, {0, 8, 0}, control), "E_ABORTED",
                "ncclCommInitRankConfig");
  stopper.join();
  CHECK_EQUAL(standIn->aborted.load(), 1);
}

}  // namespace
}  // namespace railrunner::test

// collective_test PATH-OF-STAND-IN
int main(int argc, char** argv) {
  using namespace railrunner::test;
  if (argc != 2) return 2;
  standInPath = argv[1];
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  standIn = reinterpret_cast<StandInControl* (*)()>(dlsym(library, "standInControl"))();
  records();
  configs();
  results();
  missingLibraries();
  goodWay();
  everyError();
  deadBeforeInit();
  deadInGroup();
  abortWordEndsWaits();
  mismatchedSizes();
  openedIdsAreNotCounted();
  failingOpensAreBounded();
  std::printf("failures: %d\n", failures.load());
  return failures.load() == 0 ? 0 : 1;
}
