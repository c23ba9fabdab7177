// Dispatch and combine on GPUs, a process per rank with real CUDA IPC: every element of what a measured point
// leaves is compared with the routing and the payload rule, for each layout, payload and phase; a silent rank
// and a corrupted message are seen. Without two GPUs all of it is skipped by name.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>

#include "core/clock.h"
#include "core/run_control.h"
#include "device/device.h"
#include "device/probe.h"
#include "moe/bench.h"
#include "moe/numerics.h"
#include "moe/payload.h"
#include "test/moe/moe_cuda_cases.h"
#include "test/support/rank_processes.h"

using namespace railrunner;
using namespace railrunner::moe;
using railrunner::test::Case;
using railrunner::test::HubExchange;
using railrunner::test::moeCudaCases;
using railrunner::test::runRanks;

namespace {

constexpr uint32_t kSeed = 31;

struct HubGate {
  HubExchange& exchange;
  uint32_t arrive(uint32_t stopWord) {
    uint32_t most = 0;
    const auto all = exchange.allgather({reinterpret_cast<const uint8_t*>(&stopWord), sizeof(stopWord)}, 0);
    for (const auto& bytes : all) {
      uint32_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof(word));
      most = std::max(most, word);
    }
    return most;
  }
  double lastSkewUs() { return 0; }
  void fail() {}
};

Routing routingOf(const Shape& s, uint32_t rank) {
  Routing routing;
  routing.numTokens =
      rank == 2 ? 0 : s.maxDispatchTokensPerRank - 3 * rank;  // uneven, and one rank without tokens
  std::mt19937 random(17 + rank);
  for (uint32_t t = 0; t < routing.numTokens; ++t) {
    std::vector<int32_t> chosen;
    while (chosen.size() < s.numTopk) {
      const auto e = static_cast<int32_t>(random() % s.numExperts);
      if (std::find(chosen.begin(), chosen.end(), e) == chosen.end()) chosen.push_back(e);
    }
    for (const int32_t e : chosen) {
      routing.topkIdx.push_back(random() % 5 == 0 ? -1 : e);
      routing.topkWeights.push_back(static_cast<float>(random() % 1000) / 1000.0F);
    }
  }
  return routing;
}

float sentElement(const Shape& s, uint32_t salt, uint32_t source, uint32_t token, uint32_t column) {
  if (column >= s.hidden) return 0.0F;
  const uint32_t two = payloadPair(tokenBase(kSeed, salt, source, token), column / 2);
  return bf16ToFloat(static_cast<uint16_t>(column % 2 == 0 ? two : two >> 16));
}

float received(const Shape& s, const BenchResults& r, uint64_t row, uint32_t column) {
  const uint64_t index = row * s.paddedHidden() + column;
  if (s.payload == DispatchDtype::kFp8E4m3) {
    return e4m3ToFloat(r.x[index]) * r.scales[row * s.numScales() + column / kScaleBlock];
  }
  uint16_t bits = 0;
  std::memcpy(&bits, r.x.data() + 2 * index, sizeof(bits));
  return bf16ToFloat(bits);
}

// Rows of one rank's result that do not hold what the routing says; -1 where the counts themselves differ.
int64_t wrongRows(const Shape& s, uint32_t rank, const BenchResults& r, const std::vector<Routing>& all) {
  const bool rankMajor = s.outputLayout == OutputLayout::kRankMajor;
  const uint32_t numGroups = rankMajor ? 1 : s.numLocalExperts();
  uint64_t base = 0;  // row of x at which the group begins: groups follow each other without gaps
  int64_t wrong = 0;
  for (uint32_t group = 0; group < numGroups; ++group) {
    uint64_t total = 0;
    for (uint32_t source = 0; source < s.worldSize; ++source) {
      const uint64_t range = r.layoutRange[rankMajor ? source : group * s.worldSize + source];
      const auto count = static_cast<uint32_t>(range);
      // rankMajor begins are rows of the full layout; results are without gaps.
      const uint64_t begin = rankMajor ? total : range >> 32;
      std::vector<uint32_t> expected;
      std::vector<uint32_t> found;
      for (uint32_t t = 0; t < all[source].numTokens; ++t) {
        for (uint32_t k = 0; k < s.numTopk; ++k) {
          const int32_t id = all[source].topkIdx[t * s.numTopk + k];
          if (id < 0 || static_cast<uint32_t>(id) / s.numLocalExperts() != rank) continue;
          if (!rankMajor && static_cast<uint32_t>(id) % s.numLocalExperts() != group) continue;
          expected.push_back(t);
          break;
        }
      }
      for (uint32_t i = 0; i < count; ++i) {
        const uint64_t row = base + begin + i;
        const auto token = static_cast<uint32_t>(r.sourceToken[row]);
        found.push_back(token);
        bool same = true;
        for (uint32_t c = 0; c < s.paddedHidden() && same; ++c) {
          const float sent = sentElement(s, r.salt, source, token, c);
          const float slack =
              s.payload == DispatchDtype::kBf16 ? 0.0F : std::fabs(sent) / 8.0F + 16.0F / 448.0F / 64.0F;
          same = std::fabs(received(s, r, row, c) - sent) <= slack;
        }
        wrong += same ? 0 : 1;
      }
      std::sort(found.begin(), found.end());
      if (found != expected) return -1;
      total += count;
    }
    base += total;
  }
  return wrong;
}

// Tokens whose combined row is not near the plain weighted sum: 2 % (fp8 8 %) of its
// largest sum of magnitudes.
int64_t wrongTokens(const Shape& s, uint32_t rank, const BenchResults& r, const Routing& own) {
  int64_t wrong = 0;
  for (uint32_t t = 0; t < s.maxDispatchTokensPerRank; ++t) {
    float largest = 0;
    float worst = 0;
    for (uint32_t c = 0; c < s.paddedHidden(); ++c) {
      const uint16_t bits = r.combined[static_cast<uint64_t>(t) * s.paddedHidden() + c];
      if (t >= own.numTokens) {
        if (bits != 0x7f7f) worst = INFINITY;
        continue;
      }
      float sum = 0;
      float terms = 0;
      for (uint32_t k = 0; k < s.numTopk; ++k) {
        const int32_t id = own.topkIdx[t * s.numTopk + k];
        if (id < 0) continue;
        const float term = own.topkWeights[t * s.numTopk + k] * sentElement(s, r.salt, rank, t, c) *
                           expertFactor(static_cast<uint32_t>(id));
        sum += term;
        terms += std::fabs(term);
      }
      const float difference = std::fabs(sum - bf16ToFloat(bits));
      largest = std::max(largest, terms);
      worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
    }
    const float bound = (s.payload == DispatchDtype::kBf16 ? 0.02F : 0.08F) * largest + 1e-6F;
    if (!(worst <= bound)) ++wrong;
  }
  return wrong;
}

// Uneven bytes, no multiples of 16, more than the smaller cases' slots hold; rank 2 sends nothing. The probe
// itself compares what came.
bool isProbed(Bench& bench, const std::vector<uint8_t>& overNetwork, HubExchange& exchange, HubGate& gate) {
  const auto far = static_cast<uint32_t>(std::count(overNetwork.begin(), overNetwork.end(), 1));
  for (const uint64_t each : {1001ULL, 400'003ULL}) {
    ProbeRequest request;
    for (uint32_t peer = 0; peer < exchange.worldSize(); ++peer) {
      request.bytesTo.push_back(exchange.rank() == 2 ? 0 : each * (peer + 1));
    }
    request.repeats = 3;
    request.sourceBytes = 50'000;
    const ProbeRates rates = bench.probe(request, exchange, GateRef(gate), 0);
    std::printf("# rank %u: probe of %lu bytes: ipc %.1f, network %.2f GB/s\n", exchange.rank(), each,
                rates.ipcGBps, rates.networkGBps);
    const bool sends = exchange.rank() != 2;
    const bool stores = sends && far + 1 < exchange.worldSize();
    if (rates.stopped || (rates.ipcGBps > 0) != stores) return false;
    if ((rates.networkGBps > 0) != (sends && far > 0)) return false;
  }
  return true;
}

// What a rank says that waits for one which sends nothing. 0 = as it should.
int waitsForSilent(Bench& bench, RunControl& control, GateRef gate, const Case& c, uint32_t rank,
                   uint32_t ranksPerNode) {
  std::atomic<int32_t> awaited{-1};  // as heartbeats tell it, while the kernels wait
  std::jthread deadline([&](const std::stop_token& stop) {
    // Until it has named one rank for 2 s: a wait of an earlier call may still be told, and does not last.
    int32_t last = -1;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (int same = 0; same < 20 && !stop.stop_requested() && std::chrono::steady_clock::now() < patience;
         ++same) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      const int32_t now = control.awaitedPeer.load();
      if (now != last || now < 0) same = 0;
      last = now;
    }
    awaited = last;
    control.abort.store(1);
  });
  try {
    bench.measure({1, 4, true}, gate);
  } catch (const Error& error) {
    // Where nodes forward: the rank of this node that passes on what the silent one sends.
    const uint32_t relay = rank / ranksPerNode * ranksPerNode + c.seamRank % ranksPerNode;
    const uint32_t named = c.forwards && relay != rank ? relay : c.seamRank;
    const std::string expected = "waiting for rank " + std::to_string(named) + ":";
    std::printf("# rank %u: %s\n", rank, error.what());
    // The silent rank goes on until the others are gone.
    if (rank == c.seamRank) return 0;
    if (awaited != static_cast<int32_t>(named)) return 6;
    const bool isNamed = std::string(error.what()).find(expected) != std::string::npos;
    return error.code() == ErrorCode::kAborted && isNamed ? 0 : 1;
  }
  return 1;
}

// What a rank says that is sent a word out of bounds: wrong data, by name, and not an illegal address, which
// would end everything on the GPU. 0 = as it should.
int refusesWrongWords(Bench& bench, GateRef gate, const Case& c) {
  try {
    bench.measure({1, 4, true}, gate);
  } catch (const Error& error) {
    std::printf("# %s\n", error.what());
    const std::string expected = "rank " + std::to_string(c.seamRank) + " sent ";
    const bool isNamed = std::string(error.what()).find(expected) != std::string::npos;
    return error.code() == ErrorCode::kWrongData && isNamed ? 0 : 7;
  }
  return 8;
}

int runRank(HubExchange& exchange, const Case& c) {
  const uint32_t rank = exchange.rank();
  auto device = openDevice(DeviceKind::kCuda, static_cast<int>(rank));
  RunControl control;
  BenchOptions options;
  options.shape = c.shape;
  options.shape.worldSize = exchange.worldSize();
  options.seed = kSeed;
  options.overNetwork.assign(exchange.worldSize(), 0);
  const uint32_t ranksPerNode = c.nodes == 0 ? 1 : exchange.worldSize() / c.nodes;
  for (uint32_t peer = 0; peer < exchange.worldSize(); ++peer) {
    options.overNetwork[peer] = peer != rank && peer / ranksPerNode != rank / ranksPerNode ? 1 : 0;
    if (c.forwards) options.nodeOfRank.push_back(peer / ranksPerNode);
  }
  options.numProxies = c.nodes == 0 ? 2 : 1;
  options.split = c.split;
  if (rank == c.seamRank) options.seam = c.seam;
  std::vector<Routing> all;
  for (uint32_t r = 0; r < exchange.worldSize(); ++r) all.push_back(routingOf(options.shape, r));
  auto bench = openBench(exchange, *device, control, options, all[rank], 0);
  HubGate gate{exchange};
  if (!isProbed(*bench, options.overNetwork, exchange, gate)) return 5;
  if (c.seam.silentFromEpoch != 0) {
    return waitsForSilent(*bench, control, GateRef(gate), c, rank, ranksPerNode);
  }
  if (c.seam.wrongWord != 0) {
    const int refused = refusesWrongWords(*bench, GateRef(gate), c);
    const auto code = static_cast<uint8_t>(refused);
    exchange.allgather({&code, 1}, 0);  // nobody's memory goes while another's kernel may store to it
    bench->close(nullptr, 0);
    bench.reset();
    if (refused != 0) return refused;
    // The GPU is whole: the next point runs, and its data are checked below.
    options.seam = {};
    control.abort.store(0);
    bench = openBench(exchange, *device, control, options, all[rank], 0);
  }
  const MeasuredPhases samples = bench->measure({2, 6, false}, GateRef(gate));
  for (const Phase& phase : samples.phases) {
    if (phase.timesUs.size() != 6) return 2;
    if (rank == 0) {
      std::vector<double> us = phase.timesUs;
      std::sort(us.begin(), us.end());
      std::printf("# %s %s: median %.1f us, ipc %lu, network %lu bytes\n", phase.phase.c_str(), phase.timing,
                  us[us.size() / 2], phase.bytes.ipc, phase.bytes.network);
    }
  }
  const BenchResults results = bench->results();
  const int64_t rows = wrongRows(options.shape, rank, results, all);
  const int64_t tokens = wrongTokens(options.shape, rank, results, all[rank]);
  bench->close(&exchange, 0);
  if (c.seam.corruptFromEpoch != 0 || c.seam.publishWithoutRelease) {
    // Others see it in what came from the faulty rank; that rank sees nothing wrong in what it received.
    const uint64_t worse = rows > 0 ? 1 : 0;
    const auto gathered = exchange.allgather({reinterpret_cast<const uint8_t*>(&worse), sizeof(worse)}, 0);
    uint32_t noticed = 0;
    for (const auto& bytes : gathered) noticed += bytes[0];
    return noticed > 0 ? 0 : 3;
  }
  if (rows != 0 || tokens != 0)
    std::printf("# rank %u: wrong rows %ld, wrong tokens %ld\n", rank, rows, tokens);
  return rows == 0 && tokens == 0 ? 0 : 4;
}

}  // namespace

// Arguments: parts of names; cases that hold none of them are left out. Without any, all run.
int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  // CUDA does not survive a fork, so a process of its own counts the devices.
  const auto probe = runRanks(1, [](HubExchange&) { return std::min(probeCudaDevices().devices, 4); });
  const uint32_t gpus = probe[0].exitStatus > 4 ? 0 : static_cast<uint32_t>(probe[0].exitStatus);
  std::vector<Case> list = moeCudaCases();
  const auto isWanted = [&](const Case& c) {
    return argc < 2 || std::any_of(argv + 1, argv + argc,
                                   [&](const char* part) { return std::strstr(c.name, part) != nullptr; });
  };
  std::erase_if(list, [&](const Case& c) { return !isWanted(c); });
  std::printf("TAP version 13\n1..%zu\n", list.size());
  bool failed = false;
  for (size_t i = 0; i < list.size(); ++i) {
    if (gpus < 2) {
      std::printf("ok %zu - %s # SKIP needs 2 GPUs\n", i + 1, list[i].name);
      continue;
    }
    const uint32_t ranks = gpus == 3 ? 2 : gpus;
    const auto outcomes = runRanks(ranks, [&](HubExchange& exchange) { return runRank(exchange, list[i]); });
    bool passed = true;
    for (uint32_t rank = 0; rank < ranks; ++rank) {
      if (outcomes[rank].exitStatus == 0) continue;
      std::printf("# rank %u ended with %d\n", rank, outcomes[rank].exitStatus);
      passed = false;
    }
    std::printf("%s %zu - %s\n", passed ? "ok" : "not ok", i + 1, list[i].name);
    failed = failed || !passed;
  }
  return failed ? 1 : 0;
}
