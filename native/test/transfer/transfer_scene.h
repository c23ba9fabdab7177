#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "device/device.h"
#include "kv/block_pool.h"
#include "test/support/expect.h"
#include "test/support/hub_gate.h"
#include "test/support/network_board.h"
#include "test/support/rank_processes.h"
#include "test/transfer/transfer_layouts.h"
#include "transfer/rank_transfer.h"

// A prefill and a decode group of ranks as processes: shards of one model's KV, moved and checked at their owners.
namespace railrunner::test {

constexpr uint64_t kSeed = 77;
constexpr uint32_t kHeads = 8;
constexpr int64_t kMinuteNs = 60'000'000'000;

// Ranks below `sources` hold shards of the model's KV, the others take it over into shards of their own.
struct Scene {
  uint32_t sources = 1;
  uint32_t targets = 1;
  TransferOp op = TransferOp::kWrite;
  bool network = false;
  uint32_t sourcePagesPerBlock = 1;
  uint32_t targetPagesPerBlock = 1;
  std::optional<FaultKind> fault = std::nullopt;
  DeviceKind device = DeviceKind::kHost;
  uint32_t numGpus = 1;  // cuda: ranks take turns on them
  bool sidesApart =
      false;  // cuda: sources on the first, targets on the last, so that all bytes cross one link
  Tier sourceTier = Tier::kDevice;
  Tier targetTier = Tier::kDevice;
  uint32_t numPages = 32;
  uint32_t numLayers = 3;
  uint32_t pageTokens = 4;
  uint64_t headBytes = 64;
  uint32_t iterations = 3;
  uint32_t maxCtas = 32;
  NetworkMemory networkMemory = NetworkMemory::kAuto;
  std::string demandedTransports = "";
};

struct Rank {
  Rank(HubExchange& hub, const Scene& of)
      : exchange(hub), scene(of), rank(hub.rank()), isSource(hub.rank() < of.sources) {
    const uint32_t numShards = isSource ? scene.sources : scene.targets;
    const uint32_t shard = isSource ? rank : rank - scene.sources;
    heads = {shard * kHeads / numShards, kHeads / numShards, kHeads, HeadOrder::kTokenMajor};
    const uint32_t pagesPerBlock = isSource ? scene.sourcePagesPerBlock : scene.targetPagesPerBlock;
    const LayoutShape shape =
        shapeOf({.numLayers = scene.numLayers,
                 .pagesPerBlock = pagesPerBlock,
                 .pageTokens = scene.pageTokens,
                 .heads = heads,
                 .headBytes = scene.headBytes,
                 .kind = isSource ? LayoutKind::kLayerSeparate : LayoutKind::kFullyContiguous});
    pool = std::make_unique<BlockPool>(*device, isSource ? scene.sourceTier : scene.targetTier, shape,
                                       std::vector<uint32_t>{scene.numPages / pagesPerBlock}, "", 1);
  }

  HeadRange headsOf(uint32_t peer) const {
    const bool from = peer < scene.sources;
    const uint32_t numShards = from ? scene.sources : scene.targets;
    const uint32_t shard = from ? peer : peer - scene.sources;
    return {shard * kHeads / numShards, kHeads / numShards, kHeads, HeadOrder::kTokenMajor};
  }

  void fillMoves(RankTransferOptions& options) const {
    const bool starts = (scene.op == TransferOp::kWrite) == isSource;
    for (uint32_t peer = 0; starts && peer < exchange.worldSize(); ++peer) {
      if ((peer < scene.sources) == isSource) continue;
      const HeadRange theirs = headsOf(peer);
      const HeadSpan span{std::max(heads.firstHead, theirs.firstHead),
                          std::min(heads.endHead(), theirs.endHead())};
      if (span.begin >= span.end) continue;
      RankMove move;
      move.peer = peer;
      move.pages = pages();
      move.pages.heads = {span};
      options.moves.push_back(move);
    }
  }

  PageMove pages() const {
    PageMove move;
    for (uint32_t i = 0; i < scene.numPages / 2; ++i)
      move.sourcePages.push_back((i * 5 + 1) % scene.numPages);
    for (uint32_t i = 0; i < scene.numPages / 2; ++i)
      move.targetPages.push_back((i * 3 + 2) % scene.numPages);
    move.layerBegin = 1;
    move.layerEnd = scene.numLayers;
    return move;
  }

  RankTransferOptions options() const {
    RankTransferOptions options;
    options.op = scene.op;
    (isSource ? options.source : options.target) = pool.get();
    options.overNetwork.assign(exchange.worldSize(), scene.network ? 1 : 0);
    options.overNetwork[rank] = 0;
    if (scene.fault) options.faults.add({*scene.fault, 0});
    options.threads = 2;
    options.maxCtas = scene.maxCtas;
    options.networkMemory = scene.networkMemory;
    options.bounceBytes = kMinBounceBytes;
    options.demandedTransports = scene.demandedTransports;
    fillMoves(options);
    return options;
  }

  PoolContent content(bool arrived) const {
    PoolContent content{9, 4, std::vector<BlockHolds>(scene.numPages)};
    for (uint32_t page = 0; isSource && page < scene.numPages; ++page)
      content.blocks[page] = {kSeed, page, 0, scene.numLayers};
    const PageMove moved = pages();
    for (size_t i = 0; arrived && !isSource && i < moved.targetPages.size(); ++i)
      content.blocks[moved.targetPages[i]] = {kSeed, moved.sourcePages[i], 1, scene.numLayers};
    return content;
  }

  uint32_t gpu() const {
    if (!scene.sidesApart) return rank % scene.numGpus;
    return isSource ? 0 : scene.numGpus - 1;
  }

  HubExchange& exchange;
  const Scene scene;
  const uint32_t rank;
  const bool isSource;
  HeadRange heads;
  RunControl control;
  std::unique_ptr<Device> device = openDevice(scene.device, static_cast<int>(gpu()));
  std::unique_ptr<BlockPool> pool;
};

// By name: post, wire, visible, total.
inline const std::vector<double>& timesOf(const RankTransferSamples& samples, const char* name) {
  for (const Phase& phase : samples.measured.phases) {
    if (phase.phase == name) return phase.timesUs;
  }
  throw Error(ErrorCode::kState, std::string("no phase ") + name);
}

inline double medianOf(std::vector<double> times) {
  if (times.empty()) return 0;
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

inline void printRank(const Rank& self, const RankTransferSamples& samples, const ProbeResult& probe,
                      const CheckReport& report, const RankTransferFacts& facts) {
  const double wireUs = medianOf(timesOf(samples, "wire"));
  const double GBps = wireUs > 0 ? static_cast<double>(facts.bytes.payload) / (wireUs * 1e3) : 0;
  std::printf(
      "rank %u: wrong %llu early '%s' first '%s' payload %llu pieces %llu post %.1f us wire %.1f us "
      "visible %.1f us first %.1f us, %.2f GB/s, contiguous %.2f GB/s\n",
      self.rank, static_cast<unsigned long long>(report.wrong), samples.early.c_str(),
      report.firstBad.c_str(), static_cast<unsigned long long>(facts.bytes.payload),
      static_cast<unsigned long long>(facts.numPieces), medianOf(timesOf(samples, "post")), wireUs,
      medianOf(timesOf(samples, "visible")),
      timesOf(samples, "wire").empty() ? 0 : timesOf(samples, "wire").front(), GBps, probe.GBps);
}

inline int transferAndCheck(HubExchange& exchange, const Scene& scene) {
  Rank self(exchange, scene);
  HubGate gate(exchange);
  const auto transfer =
      RankTransfer::open(exchange, self.control, *self.device, self.options(), nowNs() + kMinuteNs);
  const RankTransferFacts& facts = transfer->facts();
  EXPECT(facts.setup.metadataBytes <= 612, "a blob of %llu bytes",
         static_cast<unsigned long long>(facts.setup.metadataBytes));
  self.pool->prepare(self.content(false), self.control);
  const ProbeResult probe = transfer->probe(GateRef(gate));
  exchange.barrier();
  const RankTransferSamples samples = transfer->measure(GateRef(gate), {2, scene.iterations, false});
  exchange.barrier();
  const CheckReport report = self.pool->check(self.content(true), kCheckAllWords, self.control);
  const bool starts = !facts.strategies.empty();
  EXPECT(starts == (probe.GBps > 0), "a probe of %f GB/s", probe.GBps);
  EXPECT(timesOf(samples, "total").size() == scene.iterations &&
             timesOf(samples, "wire").size() == (starts ? scene.iterations : 0U),
         "samples");
  EXPECT(timesOf(samples, "visible").size() == (self.isSource ? 0U : scene.iterations), "visible");
  if (!scene.fault) {
    EXPECT(report.wrong == 0, "rank %u: %s", self.rank, report.firstBad.c_str());
    EXPECT(samples.early.empty(), "rank %u: %s", self.rank, samples.early.c_str());
    EXPECT((scene.network ? facts.bytes.ipc : facts.bytes.network) == 0, "bytes by the wrong path");
    EXPECT(starts == (facts.bytes.payload > 0), "payload");
  }
  printRank(self, samples, probe, report, facts);
  exchange.barrier();
  transfer->close(&exchange, nowNs() + kMinuteNs);
  transfer->close(&exchange, nowNs() + kMinuteNs);
  return report.wrong > 0 ? 10 : samples.early.empty() ? 0 : 11;
}

}  // namespace railrunner::test
