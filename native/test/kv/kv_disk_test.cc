// The disk queue by both engines, and what it does when the disk fails in the middle of a transfer.
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "kv/disk_lane.h"
#include "kv/transfer.h"
#include "storage/disk_queue.h"
#include "test/support/layout_shapes.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::test;

namespace {

constexpr uint32_t kRequestBytes = 16384;

void writeAndReadBack(DiskEngine engine, const std::string& name) {
  DiskFile file("/tmp", 64 * kRequestBytes);
  DiskQueue queue(file, 4, kRequestBytes, engine);
  ok(queue.describe().find(name) == 0, queue.describe());
  std::vector<DiskCompletion> completions(queue.depth());
  // Two vectors in one request, from memory of our own; then the slots' buffers.
  AlignedBuffer memory(2 * kRequestBytes);
  std::memset(memory.data(), 0x5a, memory.bytes());
  const iovec vectors[2] = {{memory.data(), 4096}, {memory.data() + 8192, 4096}};
  queue.start(0, {true, 0, 8192, vectors, 2});
  for (uint32_t slot = 1; slot < 4; ++slot) {
    std::memset(queue.slotBuffer(slot), static_cast<int>(slot), kRequestBytes);
    queue.start(slot, {true, slot * uint64_t{kRequestBytes}, kRequestBytes, nullptr, 0});
  }
  while (queue.inFlight() > 0) {
    const uint32_t count = queue.collect(completions.data());
    for (uint32_t i = 0; i < count; ++i) expectEqual(completions[i].error, 0, "write");
  }
  queue.start(2, {false, 3 * uint64_t{kRequestBytes}, kRequestBytes, nullptr, 0});
  while (queue.inFlight() > 0) queue.collect(completions.data());
  expectEqual(static_cast<int>(queue.slotBuffer(2)[kRequestBytes - 1]), 3, "read back");
  file.readAll(0, memory.data(), kRequestBytes);
  expectEqual(static_cast<int>(memory.data()[8191]), 0x5a, "vectors");
}

}  // namespace

TEST("io_uring and threads write and read alike") {
  writeAndReadBack(DiskEngine::kThreads, "threads");
  try {
    writeAndReadBack(DiskEngine::kUring, "io_uring");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupportedHere) throw;
    std::printf("# io_uring is refused here; threads alone were tested\n");
  }
}

// Reads the file's second request into `target` and returns its first byte.
int readSecond(DiskQueue& queue, std::byte* target) {
  const iovec vector{target, kRequestBytes};
  std::vector<DiskCompletion> completions(queue.depth());
  queue.start(0, {false, kRequestBytes, kRequestBytes, &vector, 1});
  while (queue.inFlight() > 0) {
    const uint32_t count = queue.collect(completions.data());
    for (uint32_t i = 0; i < count; ++i) expectEqual(completions[i].error, 0, "read");
  }
  return static_cast<int>(*target);
}

TEST("memory that was named is read into in place, and other memory at its address is not taken for it") {
  DiskFile file("/tmp", 8 * kRequestBytes);
  AlignedBuffer filled(kRequestBytes);
  std::memset(filled.data(), 0x5a, kRequestBytes);
  file.writeAll(kRequestBytes, filled.data(), kRequestBytes);
  auto queue = std::make_shared<DiskQueue>(file, 4, kRequestBytes, DiskEngine::kAuto);
  constexpr uint64_t kBytes = 4 * kRequestBytes;
  const auto map = [](void* at, int flags) {
    void* mapped =
        mmap(at, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);
    ok(mapped != MAP_FAILED, "mmap");
    return static_cast<std::byte*>(mapped);
  };
  std::byte* memory = map(nullptr, 0);
  {
    const DiskMemoryUse use(*queue, memory, kBytes);
    const DiskMemoryUse again(*queue, memory, kBytes);
    expectEqual(readSecond(*queue, memory + kRequestBytes), 0x5a, "inside it");
    expectEqual(readSecond(*queue, filled.data()), 0x5a, "outside it");
    AlignedBuffer other(kRequestBytes);
    const DiskMemoryUse second(*queue, other.data(), kRequestBytes);
    expectEqual(readSecond(*queue, other.data()), 0x5a, "other memory next to it");
  }
  map(memory, MAP_FIXED);  // new pages at the old address
  expectEqual(readSecond(*queue, memory + kRequestBytes), 0x5a, "new memory at the old address");
  DiskMemoryUse outlives(*queue, memory, kBytes);
  queue.reset();
  munmap(memory, kBytes);
}

TEST("the file has no name while it is used, and its folder stays clean") {
  DiskFile file("/tmp", 4096);
  ok(access(file.path().c_str(), F_OK) != 0, file.path() + " is still there");
}

TEST("folders that are not there are named") {
  throws(ErrorCode::kIo, "/nowhere/at/all", [] { DiskFile("/nowhere/at/all", 4096); });
  throws(ErrorCode::kArgument, "multiple of 4096", [] { DiskFile("/tmp", 4097); });
}

TEST("a write that fails in the middle of a transfer ends it with errno, place and path") {
  for (const DiskEngine engine : {DiskEngine::kAuto, DiskEngine::kThreads}) {
    const auto device = openDevice(DeviceKind::kHost, 0);
    RunControl control;
    const LayoutShape shape = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 2, 2, 16, 511, 2, 1);
    BlockPool source(*device, Tier::kDevice, shape, {32}, "", 1);
    BlockPool target(*device, Tier::kDisk, shape, {32}, "/tmp", 1);
    PoolContent filled{0, 1, std::vector<BlockHolds>(32)};
    for (uint32_t block = 0; block < 32; ++block) filled.blocks[block] = {9, block, 0, 2};
    source.prepare(filled, control);
    target.prepare({0, 1, std::vector<BlockHolds>(32)}, control);
    std::vector<uint32_t> ids(32);
    std::iota(ids.begin(), ids.end(), 0);
    const LaneRequest request{&source, &target, ids, ids, 0, 2};
    DiskQueue queue(*target.file(), 8, kRequestBytes, engine);
    DiskLane<CpuHop> lane(request, compileDiskPlan(request, {16, kRequestBytes, true, 4096}), queue, 4,
                          CpuHop(source.memory()), 1, Strategy::kKernel);
    // From block 20 on the file may not be written any more.
    signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{20 * target.layout().strips[0].stride, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string message;
    try {
      lane.execute(control);
    } catch (const Error& error) {
      expectEqual(std::string(errorCodeName(error.code())), std::string("E_IO"), "code");
      message = error.what();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    ok(message.find("(errno 27)") != std::string::npos, "errno: " + message);
    ok(message.find(target.file()->path()) != std::string::npos, "path: " + message);
    expectEqual(queue.inFlight(), 0U, "requests in flight behind the error");
    lane.execute(control);
    expectEqual(target.check(filled, kCheckAllWords, control).firstBad, std::string(),
                "once the disk works again");
  }
}

// A hop that fails in the middle without an errno, as a CUDA call does whose error passes.
struct ThrowingHop : CpuHop {
  uint32_t left;
  ThrowingHop(std::byte* memory, uint32_t count) : CpuHop(memory), left(count) {}
  void scatter(uint32_t slot, const std::byte* buffer, const DiskPiece* pieces, uint32_t count) {
    if (left-- == 0) throw Error(ErrorCode::kCuda, "planted: the hop failed");
    CpuHop::scatter(slot, buffer, pieces, count);
  }
};

TEST("a hop that throws leaves nothing in flight, and the next transfer of the queue moves the right bytes") {
  constexpr uint32_t kBlocks = 64;
  for (const DiskEngine engine : {DiskEngine::kAuto, DiskEngine::kThreads}) {
    const auto device = openDevice(DeviceKind::kHost, 0);
    RunControl control;
    const LayoutShape shape = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 4, 2, 16, 1000, 2, 1);
    BlockPool disk(*device, Tier::kDisk, shape, {kBlocks}, "/tmp", 1);
    BlockPool memory(*device, Tier::kDevice, shape, {kBlocks}, "", 1);
    PoolContent filled{0, 1, std::vector<BlockHolds>(kBlocks)};
    for (uint32_t block = 0; block < kBlocks; ++block) filled.blocks[block] = {9, block, 0, 4};
    disk.prepare(filled, control);
    memory.prepare({0, 1, std::vector<BlockHolds>(kBlocks)}, control);
    DiskQueue queue(*disk.file(), 32, 1 << 18, engine);
    const auto request = [&](uint32_t shift) {
      LaneRequest lane{&disk, &memory, {}, {}, 0, 4};
      for (uint32_t i = 0; i < kBlocks; ++i) {
        lane.sourceIds.push_back((i + shift) % kBlocks);
        lane.targetIds.push_back(i);
      }
      return lane;
    };
    const auto laneOf = [&]<class Hop>(uint32_t shift, Hop hop) {
      const LaneRequest lane = request(shift);
      return DiskLane<Hop>(lane, compileDiskPlan(lane, {16, 1 << 18, true, 0}), queue, 4, std::move(hop), 1,
                           Strategy::kKernel);
    };
    auto failing = laneOf(0, ThrowingHop(memory.memory(), 3));
    throws(ErrorCode::kCuda, "planted", [&] { failing.execute(control); });
    expectEqual(queue.inFlight(), 0U, "requests in flight behind the exception");
    laneOf(17, CpuHop(memory.memory())).execute(control);
    PoolContent expected{0, 1, std::vector<BlockHolds>(kBlocks)};
    for (uint32_t block = 0; block < kBlocks; ++block)
      expected.blocks[block] = {9, (block + 17) % kBlocks, 0, 4};
    expectEqual(memory.check(expected, kCheckAllWords, control).firstBad, std::string(), "the next transfer");
  }
}

// A copy slow enough that all requests of the disk end meanwhile; notes how many are in flight when one begins.
struct SlowHop : CpuHop {
  const DiskQueue* queue;
  std::vector<uint32_t>* inFlight;
  SlowHop(std::byte* memory, const DiskQueue& used, std::vector<uint32_t>& notes)
      : CpuHop(memory), queue(&used), inFlight(&notes) {}
  void scatter(uint32_t slot, const std::byte* buffer, const DiskPiece* pieces, uint32_t count) {
    inFlight->push_back(queue->inFlight());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CpuHop::scatter(slot, buffer, pieces, count);
  }
};

TEST("the disk has its next request before the bytes of another one are copied") {
  constexpr uint32_t kBlocks = 24, kDepth = 8;
  const auto device = openDevice(DeviceKind::kHost, 0);
  RunControl control;
  const LayoutShape shape = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 1, 1, 16, 1024, 2, 1);
  BlockPool disk(*device, Tier::kDisk, shape, {kBlocks}, "/tmp", 1);
  BlockPool memory(*device, Tier::kDevice, shape, {kBlocks}, "", 1);
  disk.prepare({0, 1, std::vector<BlockHolds>(kBlocks)}, control);
  memory.prepare({0, 1, std::vector<BlockHolds>(kBlocks)}, control);
  LaneRequest request{&disk, &memory, {}, {}, 0, 1};
  for (uint32_t i = 0; i < kBlocks; ++i) {
    request.sourceIds.push_back(i);
    request.targetIds.push_back(i);
  }
  for (const DiskEngine engine : {DiskEngine::kAuto, DiskEngine::kThreads}) {
    DiskQueue queue(*disk.file(), kDepth, 32768, engine);
    std::vector<uint32_t> inFlight;
    DiskLane<SlowHop> lane(request, compileDiskPlan(request, {kBlocks, 32768, true, 0}), queue, 4,
                           SlowHop(memory.memory(), queue, inFlight), 1, Strategy::kMemcpy);
    lane.execute(control);
    expectEqual(inFlight.size(), size_t{kBlocks}, "copies, one per request");
    // Between the first and the last requests in flight: there, all had ended before each copy.
    const auto underWay = std::count_if(inFlight.begin() + kDepth, inFlight.end() - kDepth,
                                        [](uint32_t requests) { return requests > 0; });
    ok(underWay > 0, "the disk waited for copies: nothing in flight at any of them");
  }
}

TEST("a slot with a request in flight takes no second one") {
  DiskFile file("/tmp", 8 * kRequestBytes);
  for (const DiskEngine engine : {DiskEngine::kAuto, DiskEngine::kThreads}) {
    DiskQueue queue(file, 2, kRequestBytes, engine);
    queue.start(1, {false, 0, kRequestBytes, nullptr, 0});
    throws(ErrorCode::kState, "slot 1", [&] { queue.start(1, {false, 0, kRequestBytes, nullptr, 0}); });
    throws(ErrorCode::kState, "slot 2", [&] { queue.start(2, {false, 0, kRequestBytes, nullptr, 0}); });
    queue.drain();
    expectEqual(queue.inFlight(), 0U, "drained");
    queue.start(1, {false, 0, kRequestBytes, nullptr, 0});
    queue.drain();
  }
}

TEST("what a file system says about direct I/O is judged, not whether the open succeeded") {
  constexpr uint64_t kExt4 = 0xef53, kTmpfs = 0x01021994, kOverlay = 0x794c7630, kBtrfs = 0x9123683e;
  const struct {
    DirectIoAlignment alignment;
    uint64_t magic;
    bool kernelTells;
    DirectIo kind;
    uint32_t alignmentBytes;
  } cases[] = {
      {{true, 512, 512}, kExt4, true, DirectIo::kDirect, 512},
      {{true, 4, 4096}, kExt4, true, DirectIo::kDirect, 4096},
      {{true, 0, 0}, kExt4, true, DirectIo::kBuffered, 1},  // data=journal
      {{true, 512, 65536}, kExt4, true, DirectIo::kBuffered, 1},
      {{false, 0, 0}, kTmpfs, true, DirectIo::kBuffered, 1},
      {{false, 512, 512}, kTmpfs, true, DirectIo::kBuffered, 1},  // fields without their bit mean nothing
      {{false, 0, 0}, kOverlay, true, DirectIo::kBuffered, 1},    // over tmpfs
      {{true, 512, 512}, kOverlay, true, DirectIo::kDirect, 512},
      {{false, 0, 0}, kOverlay, false, DirectIo::kUnconfirmed, 4096},
      {{false, 0, 0}, kBtrfs, true, DirectIo::kUnconfirmed, 4096},
      {{false, 0, 0}, kExt4, false, DirectIo::kUnconfirmed, 4096},
  };
  for (const auto& each : cases) {
    const DirectIoFacts facts = judgeDirectIo(each.alignment, each.magic, each.kernelTells);
    const std::string what = "magic " + std::to_string(each.magic) + ", " + facts.reason;
    ok(facts.kind == each.kind, what);
    expectEqual(facts.alignmentBytes, each.alignmentBytes, what.c_str());
    ok((facts.kind == DirectIo::kDirect) == facts.reason.empty(), what);
  }
}

// Linux 6.18: an ordinary user whose locked-memory limit is too small for a ring gets ENOMEM; CAP_IPC_LOCK does
// without the limit.
TEST("io_uring that the locked-memory limit refuses is named, and threads do the work") {
  if (geteuid() != 0) {
    std::printf("# SKIP needs root, to become an ordinary user\n");
    return;
  }
  int said[2];
  ok(pipe(said) == 0, "pipe");
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{0, 0};
    std::string text;
    try {
      if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || setgid(65534) != 0 || setuid(65534) != 0) _exit(2);
      const DiskFile file("/tmp", 4096);
      const DiskQueue queue(file, 256, 4096, DiskEngine::kAuto);
      text = queue.describe() + ": " + queue.ringRefusal();
    } catch (const Error& error) {
      text = error.what();
    }
    _exit(write(said[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 3);
  }
  close(said[1]);
  char text[1024] = {};
  const ssize_t got = read(said[0], text, sizeof(text) - 1);
  close(said[0]);
  int status = 0;
  waitpid(child, &status, 0);
  ok(got > 0 && status == 0, "the child ended with " + std::to_string(status));
  const std::string what(text);
  if (what.rfind("io_uring", 0) == 0) {
    std::printf("# this kernel counts no rings as locked memory: %s\n", text);
    return;
  }
  ok(what.rfind("threads", 0) == 0 && what.find("ulimit -l) is 0 KiB") != std::string::npos, what);
}

int main() { return runAll(); }

TEST("a probe writes blocks that were only reserved first, and leaves those that were written") {
  constexpr uint32_t kBlocks = 8;
  const auto device = openDevice(DeviceKind::kHost, 0);
  RunControl control;
  const LayoutShape shape = uniform(LayoutKind::kFullyContiguous, BlockDim::kFirst, 1, 1, 16, 1024, 2, 1);
  BlockPool memory(*device, Tier::kDevice, shape, {kBlocks}, "", 1);
  memory.prepare({0, 1, std::vector<BlockHolds>(kBlocks)}, control);
  // Blocks 2 and 5 of the file.
  const auto prepareProbe = [&](BlockPool& disk, bool writes) {
    const std::vector<uint32_t> inFile{2, 5}, inMemory{0, 1};
    const LaneRequest request = writes ? LaneRequest{&memory, &disk, inMemory, inFile, 0, 1}
                                       : LaneRequest{&disk, &memory, inFile, inMemory, 0, 1};
    DiskQueue queue(*disk.file(), 4, 1 << 16, DiskEngine::kAuto);
    const DiskLane<CpuHop> lane(request, compileDiskPlan(request, {16, 1 << 16, true, 4096}), queue, 4,
                                CpuHop(memory.memory()), 1, Strategy::kKernel);
    const auto probe = lane.makeProbe(control);
    if (!writes) probe->run();
  };
  const auto isZero = [](const BlockPool& disk, uint32_t block) {
    const uint64_t stride = disk.layout().strips[0].stride;
    AlignedBuffer bytes(stride);
    disk.file()->readAll(block * stride, bytes.data(), stride);
    return std::all_of(bytes.data(), bytes.data() + stride, [](std::byte b) { return b == std::byte{0}; });
  };
  for (const bool writes : {false, true}) {
    const std::string which = writes ? "writes: " : "reads: ";
    BlockPool reserved(*device, Tier::kDisk, shape, {kBlocks}, "/tmp", 1);
    prepareProbe(reserved, writes);
    ok(!isZero(reserved, 2) && !isZero(reserved, 5), which + "what the probe touches was written");
    ok(isZero(reserved, 3), which + "and nothing else");
    BlockPool written(*device, Tier::kDisk, shape, {kBlocks}, "/tmp", 1);
    PoolContent filled{0, 1, std::vector<BlockHolds>(kBlocks)};
    for (uint32_t block = 0; block < kBlocks; ++block) filled.blocks[block] = {9, block, 0, 1};
    written.prepare(filled, control);
    prepareProbe(written, writes);
    expectEqual(written.check(filled, kCheckAllWords, control).firstBad, std::string(),
                which + "a prepared pool");
  }
}
