#include "test/support/case_by_name.h"
#include "test/transfer/transfer_scene.h"
#include "transfer/cuda/cuda_copy_task.h"

// Reads and writes between processes on GPUs of one node, by IPC. Arguments: a case, and how many GPUs there are.
namespace railrunner::test {
namespace {

uint32_t numGpus = 1;

int pass(Scene scene) {
  scene.device = DeviceKind::kCuda;
  scene.numGpus = numGpus;
  return allEnded(runRanks(scene.sources + scene.targets,
                           [&](HubExchange& exchange) { return transferAndCheck(exchange, scene); }));
}

int everyTier() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const Tier from : {Tier::kDevice, Tier::kHost}) {
      for (const Tier to : {Tier::kDevice, Tier::kHost}) {
        EXPECT(pass({.op = op, .sourceTier = from, .targetTier = to}) == 0, "tiers");
      }
    }
    EXPECT(pass({.sources = 2, .targets = 1, .op = op}) == 0, "merged heads");
    EXPECT(pass({.sources = 1, .targets = 2, .op = op, .targetPagesPerBlock = 4}) == 0, "split heads, pages");
    EXPECT(pass({.op = op, .sourcePagesPerBlock = 4}) == 0, "pages");
  }
  return 0;
}

int plantedFaults() {
  for (const FaultKind fault : {FaultKind::kWrongSplit, FaultKind::kLostPiece, FaultKind::kTruncatedPiece,
                                FaultKind::kEarlyNotification}) {
    Scene scene{.fault = fault, .device = DeviceKind::kCuda, .numGpus = numGpus};
    const auto outcomes =
        runRanks(2, [&](HubExchange& exchange) { return transferAndCheck(exchange, scene); });
    const int expected = fault == FaultKind::kEarlyNotification ? 11 : 10;
    EXPECT(outcomes[1].exitStatus == expected, "fault %u: %d", static_cast<unsigned>(fault),
           outcomes[1].exitStatus);
  }
  return 0;
}

// More copies than one launch carries start together: each moves its own bytes and tells by itself, again and again; and
// what was gathered and forgotten moves nothing.
int manyCopies() {
  constexpr uint32_t kCopies = 40;
  constexpr uint64_t kBytes = 20'000;
  const auto device = openDevice(DeviceKind::kCuda, 0);
  const auto launcher = std::make_shared<cuda::CopyLauncher>(0);
  const cuda::Buffer source(cuda::Buffer::Place::kPinned, kCopies * kBytes);
  const cuda::Buffer target(cuda::Buffer::Place::kPinned, kCopies * kBytes);
  const cuda::Buffer words(cuda::Buffer::Place::kPinned, kCopies * sizeof(uint64_t));
  uint64_t epoch = 0;
  uint32_t ended = 0;
  std::vector<std::unique_ptr<CopyTask>> tasks;
  for (uint32_t i = 0; i < kCopies; ++i) {
    // The first only tells; the others grow, so that blocks of threads differ.
    const CopySpan span{i * kBytes, i * kBytes, i * (kBytes / kCopies)};
    const std::vector<CopySpan> spans{span};
    cuda::CudaCopy copy;
    copy.chunks = {spans};
    copy.source = source.as<std::byte>();
    copy.target = target.as<std::byte>();
    copy.maxCtas = 2;
    copy.arrivalWord = words.as<uint64_t>() + i;
    copy.epoch = &epoch;
    copy.whenDone = [&ended] { ++ended; };
    copy.launcher = launcher;
    tasks.push_back(cuda::makeCudaCopyTask(std::move(copy)));
  }
  RunControl control;
  std::memset(words.as(), 0, kCopies * sizeof(uint64_t));
  for (epoch = 1; epoch <= 3; ++epoch) {
    std::memset(source.as(), static_cast<int>(epoch), kCopies * kBytes);
    std::memset(target.as(), 0, kCopies * kBytes);
    launcher->hold();
    if (epoch == 2) {
      for (uint32_t i = 0; i < cuda::kMaxRowParts; ++i) tasks[i]->start();
      launcher->forget();
      for (const auto& task : tasks) task->drain();
      EXPECT(words.as<uint64_t>()[0] == 1 && target.as<char>()[kBytes] == 0, "forgotten copies ran");
      continue;
    }
    for (const auto& task : tasks) task->start();
    launcher->send();
    for (const auto& task : tasks)
      waitUntil([&] { return task->poll(); }, control, nowNs() + kMinuteNs, "copies that start together");
    for (uint32_t i = 0; i < kCopies; ++i) {
      const char* bytes = target.as<char>() + i * kBytes;
      const auto copied = static_cast<uint64_t>(std::count(bytes, bytes + kBytes, static_cast<char>(epoch)));
      EXPECT(copied == i * (kBytes / kCopies), "copy %u moved %llu bytes", i,
             static_cast<unsigned long long>(copied));
      EXPECT(words.as<uint64_t>()[i] == epoch, "copy %u did not tell", i);
    }
  }
  EXPECT(ended == 2 * kCopies, "%u ends", ended);
  return 0;
}

// A kernel that dies never stores that it has ended: a waiting rank learns of the lost context nonetheless.
int lostContext() {
  const cuda::Buffer target(cuda::Buffer::Place::kPinned, 4096);
  const std::vector<CopySpan> spans{{0, 0, 4096}};
  cuda::CudaCopy copy;
  copy.chunks = {spans};
  copy.source = reinterpret_cast<const std::byte*>(uint64_t{64});  // the null page: CUDA maps much else
  copy.target = target.as<std::byte>();
  const auto task = cuda::makeCudaCopyTask(std::move(copy));
  RunControl control;
  task->start();
  try {
    waitUntil([&] { return task->poll(); }, control, nowNs() + kMinuteNs, "a copy that cannot be");
  } catch (const Error& error) {
    EXPECT(error.code() == ErrorCode::kCudaSticky, "%s", error.what());
    return 0;
  }
  return 3;
}

// Kernels alone are told early: found by the consumer on the device, behind a CPU that sees nothing amiss.
int earlyForKernels() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const bool network : {false, true}) {
      Scene scene{.op = op, .network = network, .fault = FaultKind::kEarlyDeviceNotification};
      scene.device = DeviceKind::kCuda;
      scene.numGpus = numGpus;
      const auto outcomes =
          runRanks(2, [&](HubExchange& exchange) { return transferAndCheck(exchange, scene); });
      EXPECT(outcomes[1].exitStatus == 11, "rank 1 ended with %d", outcomes[1].exitStatus);
    }
  }
  return 0;
}

// Device memory of a GPU over the network goes through pinned bounce buffers; a demand that it must not is refused.
int overNetwork() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const Tier from : {Tier::kDevice, Tier::kHost}) {
      for (const Tier to : {Tier::kDevice, Tier::kHost}) {
        Scene scene{.op = op, .network = true, .sourceTier = from, .targetTier = to, .headBytes = 1024};
        scene.pageTokens = 16;
        EXPECT(pass(scene) == 0, "tiers");
      }
    }
    EXPECT(pass({.sources = 2, .targets = 1, .op = op, .network = true}) == 0, "merged heads");
    EXPECT(pass({.sources = 1, .targets = 2, .op = op, .network = true}) == 0, "split heads");
  }
  return allEnded(runRanks(2, [&](HubExchange& exchange) {
    Scene scene{.network = true, .device = DeviceKind::kCuda, .numGpus = numGpus};
    scene.networkMemory = NetworkMemory::kDevice;
    Rank self(exchange, scene);
    try {
      RankTransfer::open(exchange, self.control, *self.device, self.options(), nowNs() + kMinuteNs);
    } catch (const Error& error) {
      EXPECT(error.code() == ErrorCode::kTransport, "%s", error.what());
      return 0;
    }
    return 3;
  }));
}

// Heads of 256 bytes, 8 of them, 16 tokens, as Llama-3.1-70B has: split among twice or half as many ranks, in runs of
// 1,024 and 512 bytes, next to equal sizes.
int reshard() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const auto& [sources, targets] :
         std::vector<std::pair<uint32_t, uint32_t>>{{1, 1}, {2, 1}, {1, 2}, {4, 1}, {1, 4}}) {
      for (const uint32_t maxCtas : {16U, 32U}) {
        std::printf("%s, tensor parallel %u to %u, %u blocks of threads\n",
                    op == TransferOp::kWrite ? "write" : "read", sources, targets, maxCtas);
        const Scene scene{.sources = sources,
                          .targets = targets,
                          .op = op,
                          .sidesApart = true,
                          .numPages = 512,
                          .numLayers = 33,
                          .pageTokens = 16,
                          .headBytes = 256,
                          .iterations = 20,
                          .maxCtas = maxCtas};
        EXPECT(pass(scene) == 0, "reshard");
      }
    }
  }
  return 0;
}

// 4.9 GB in pieces of 16 KiB in one call, as a prefill of 120,000 tokens hands over.
int large() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    const Scene scene{.op = op,
                      .numPages = 3742,  // not a multiple of 3 or 5, by which the lists step
                      .numLayers = 81,
                      .pageTokens = 16,
                      .headBytes = 128,
                      .iterations = 8,
                      .maxCtas = 16};
    EXPECT(pass(scene) == 0, "4.9 GB");
  }
  return 0;
}

// Blocks like those of Llama-3.1-70B at tensor parallel 4: 80 layers, regions of 16 tokens x 2 heads x 256 bytes = 8 KiB;
// and other sizes of pieces.
int speed() {
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const uint64_t headBytes : {32U, 128U, 512U}) {
      for (const uint32_t maxCtas : {16U, 64U}) {
        std::printf("%s, region %llu bytes, %u blocks of threads\n",
                    op == TransferOp::kWrite ? "write" : "read",
                    static_cast<unsigned long long>(headBytes * 16 * kHeads), maxCtas);
        const Scene scene{.op = op,
                          .numPages = static_cast<uint32_t>(2'097'152 / headBytes / 16),
                          .numLayers = 16,
                          .pageTokens = 16,
                          .headBytes = headBytes,
                          .iterations = 20,
                          .maxCtas = maxCtas};
        EXPECT(pass(scene) == 0, "speed");
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  using namespace railrunner::test;
  if (argc > 2) numGpus = static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10));
  return runCaseByName({{"every-tier", everyTier},
                        {"many-copies", manyCopies},
                        {"lost-context", lostContext},
                        {"planted-faults", plantedFaults},
                        {"early-for-kernels", earlyForKernels},
                        {"over-network", overNetwork},
                        {"reshard", reshard},
                        {"large", large},
                        {"speed", speed}},
                       argc, argv);
}
