// Transfers between ranks on the host device, each next to the bare operation: `transfer_bench
// memory|network|bare|import|connect [ROUNDS]`. Prints CSV, a line per round and case.
//   memory   writes and reads of mapped memory by 2 processes, against threads that memcpy the same pieces, interleaved
//   network  the same over UCX on one host; scripts/bench/transfer-host.ts runs ucx_perftest and `bare` before and after
//   bare     the same bytes as they lie by bare UCX, in messages of 256 KiB: as the network module sends (eager), and by UCX's own
//            choice (rendezvous)
//   import   CPU time of importing the metadata of so many peers
//   connect  8 processes: all of a transfer's connections over UCX, against bare UCX endpoints with a message in each direction; each
//            in new processes, as the first one loads UCX
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "bench/ucx_pieces.h"
#include "network/ucx_api.h"
#include "test/support/expect.h"
#include "test/transfer/transfer_scene.h"
#include "transfer/layout_registry.h"

namespace railrunner::test {
namespace {

constexpr unsigned kLimitSeconds = 600;
constexpr uint32_t kThreads = 2;
constexpr uint32_t kConnected = 8;

double cpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Scene sceneOf(TransferOp op, bool network, uint64_t regionBytes) {
  Scene scene{.op = op, .network = network, .numLayers = 17, .pageTokens = 16};
  scene.headBytes = regionBytes / scene.pageTokens / kHeads;
  scene.numPages = static_cast<uint32_t>((uint64_t{128} << 20) / (regionBytes * 16));
  scene.iterations = 5;
  return scene;
}

// The same pieces by plain memcpy of as many threads, between memories of this process alone.
double memcpyGBps(const CopyPlan& plan, const std::vector<std::byte>& source,
                  std::vector<std::byte>& target) {
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    const double startUs = nowUs();
    std::vector<std::thread> team;
    for (uint32_t worker = 0; worker < kThreads; ++worker) {
      team.emplace_back([&, worker] {
        for (size_t at = worker * plan.spans.size() / kThreads;
             at < (worker + 1) * plan.spans.size() / kThreads; ++at) {
          const CopySpan& span = plan.spans[at];
          std::memcpy(target.data() + span.targetOffset, source.data() + span.sourceOffset, span.bytes);
        }
      });
    }
    for (std::thread& one : team) one.join();
    times.push_back(nowUs() - startUs);
  }
  return static_cast<double>(plan.payloadBytes) / medianOf(times) / 1e3;
}

CopyPlan planOf(const Rank& self, const PageMove& pages) {
  const auto layoutOfSide = [&](bool isSource) {
    const Scene& scene = self.scene;
    return layoutOf({isSource ? 1ULL : 2ULL, 0},
                    shapeOf({.numLayers = scene.numLayers,
                             .pageTokens = scene.pageTokens,
                             .heads = {0, kHeads, kHeads, HeadOrder::kTokenMajor},
                             .headBytes = scene.headBytes,
                             .kind = isSource ? LayoutKind::kLayerSeparate : LayoutKind::kFullyContiguous}),
                    {scene.numPages});
  };
  PageMove move = pages;
  move.heads = {{0, kHeads}};
  return compileMove(*layoutOfSide(true), *layoutOfSide(false), move, 1U << 20);
}

int moveRounds(HubExchange& exchange, const Scene& scene, int rounds) {
  Rank self(exchange, scene);
  HubGate gate(exchange);
  const auto transfer =
      RankTransfer::open(exchange, self.control, *self.device, self.options(), nowNs() + kMinuteNs);
  const RankTransferFacts& facts = transfer->facts();
  const bool starts = !facts.strategies.empty();
  const CopyPlan plan = planOf(self, self.pages());
  std::vector<std::byte> source, target;
  if (starts && !scene.network) {
    source.assign(self.pool->layout().totalBytes, std::byte{1});
    target.assign(self.pool->layout().totalBytes, std::byte{2});
  }
  for (int round = 0; round < rounds; ++round) {
    self.pool->prepare(self.content(false), self.control);
    const RankTransferSamples samples = transfer->measure(GateRef(gate), {1, scene.iterations, false});
    exchange.barrier();
    const CheckReport report = self.pool->check(self.content(true), kCheckAllWords, self.control);
    EXPECT(report.wrong == 0, "%s", report.firstBad.c_str());
    const double baseline = source.empty() ? 0 : memcpyGBps(plan, source, target);
    if (starts) {
      const double GBps = static_cast<double>(facts.bytes.payload) / medianOf(timesOf(samples, "wire")) / 1e3;
      std::printf("%d,%s,%s,%llu,%llu,%llu,%.3f,%.3f,%s\n", round, scene.network ? "network" : "mapped",
                  scene.op == TransferOp::kWrite ? "write" : "read",
                  static_cast<unsigned long long>(scene.headBytes * scene.pageTokens * kHeads),
                  static_cast<unsigned long long>(facts.numPieces),
                  static_cast<unsigned long long>(facts.bytes.payload), GBps, baseline,
                  facts.networkTransport.c_str());
      std::fflush(stdout);
    }
    exchange.barrier();
  }
  transfer->close(&exchange, nowNs() + kMinuteNs);
  return 0;
}

int move(bool network, int rounds) {
  std::printf("round,path,op,region_bytes,pieces,payload_bytes,GBps,memcpy_GBps,transport\n");
  std::fflush(stdout);
  for (const TransferOp op : {TransferOp::kWrite, TransferOp::kRead}) {
    for (const uint64_t regionBytes : {4096U, 16384U, 65536U}) {
      const Scene scene = sceneOf(op, network, regionBytes);
      if (allEnded(runRanks(
              2, [&](HubExchange& exchange) { return moveRounds(exchange, scene, rounds); },
              kLimitSeconds)) != 0)
        return 1;
    }
  }
  return 0;
}

int import(int rounds) {
  std::printf("round,peers,blob_bytes,import_cpu_ms\n");
  for (int round = 0; round < rounds; ++round) {
    for (const uint64_t peers : {250U, 500U, 1000U, 2000U}) {
      std::vector<std::vector<uint8_t>> blobs;
      for (uint64_t peer = 0; peer < peers; ++peer) {
        Metadata metadata{{peer, "worker-" + std::to_string(peer)}, {}};
        for (uint16_t id = 0; id < 2; ++id) {
          auto layout = layoutOf({peer, id}, threeGroups(80), {4'000, 100});
          layout->owner = metadata.worker.agentName;
          layout->share = shareOf(layout->blocks, DeviceKind::kCuda, peer);
          metadata.layouts.push_back(layout);
        }
        blobs.push_back(encodeMetadata(metadata));
      }
      LayoutRegistry mine({UINT64_MAX, "me"});
      const double startMs = cpuMs();
      for (uint64_t peer = 0; peer < peers; ++peer)
        mine.importMetadata(blobs[peer], "worker-" + std::to_string(peer));
      std::printf("%d,%llu,%zu,%.3f\n", round, static_cast<unsigned long long>(peers), blobs[0].size(),
                  cpuMs() - startMs);
    }
  }
  return 0;
}

#ifdef RAILRUNNER_HAVE_UCX

// A context, a worker, an endpoint to every peer and a message in each direction: the unavoidable part.
class BareUcx {
 public:
  explicit BareUcx(HubExchange& exchange) : exchange_(exchange), startUs_(nowUs()) {
    context_ = createUcxContext("", 256U << 10, false);
    ucp_worker_params_t params{};
    params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
    params.thread_mode = UCS_THREAD_MODE_SINGLE;
    require(ucx().ucp_worker_create(context_, &params, &worker_));
    ucp_am_handler_param_t handler{};
    handler.field_mask =
        UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
    handler.id = 1;
    handler.cb = [](void* self, const void*, size_t, void*, size_t, const ucp_am_recv_param_t*) {
      ++static_cast<BareUcx*>(self)->arrived_;
      return UCS_OK;
    };
    handler.arg = this;
    require(ucx().ucp_worker_set_am_recv_handler(worker_, &handler));
  }
  double connectMs() {
    ucp_address_t* address = nullptr;
    size_t bytes = 0;
    require(ucx().ucp_worker_get_address(worker_, &address, &bytes));
    const auto* at = reinterpret_cast<const uint8_t*>(address);
    const auto all = exchange_.allgather({at, bytes}, 0);
    ucx().ucp_worker_release_address(worker_, address);
    std::vector<ucs_status_ptr_t> sends;
    for (uint32_t peer = 0; peer < all.size(); ++peer) {
      if (peer == exchange_.rank()) continue;
      ucp_ep_params_t params{};
      params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
      params.address = reinterpret_cast<const ucp_address_t*>(all[peer].data());
      ucp_ep_h endpoint = nullptr;
      require(ucx().ucp_ep_create(worker_, &params, &endpoint));
      const ucp_request_param_t none{};
      sends.push_back(ucx().ucp_am_send_nbx(endpoint, 1, nullptr, 0, "hello", 5, &none));
    }
    const auto sent = [](ucs_status_ptr_t one) {
      return !UCS_PTR_IS_PTR(one) || ucx().ucp_request_check_status(one) != UCS_INPROGRESS;
    };
    while (arrived_ + 1 < all.size() || !std::ranges::all_of(sends, sent)) {
      if (ucx().ucp_worker_progress(worker_) == 0) sched_yield();
    }
    return (nowUs() - startUs_) / 1e3;
  }

 private:
  static void require(ucs_status_t status) {
    if (status != UCS_OK) throw ucxError("bare UCX", status);
  }
  HubExchange& exchange_;
  const double startUs_;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  std::atomic<size_t> arrived_{0};
};

int bare(int rounds) {
  const std::array<bench::PieceVariant, 2> variants = {
      {{"eager", bench::PieceSend::kContiguous, bench::PieceReceive::kCopy, 1, bench::eagerSettings()},
       {"rendezvous", bench::PieceSend::kContiguous, bench::PieceReceive::kPost, 1, {}}}};
  std::printf("round,protocol,GBps\n");
  for (int round = 0; round < rounds; ++round) {
    for (const bench::PieceVariant& variant : variants) {
      const auto body = [&](HubExchange& exchange) {
        const bench::PieceResult result = bench::PieceStream(exchange, variant, 0).run();
        if (exchange.rank() == 0) std::printf("%d,%s,%.3f\n", round, variant.name, result.GBps);
        return 0;
      };
      if (allEnded(runRanks(2, body, kLimitSeconds)) != 0) return 1;
    }
  }
  return 0;
}

enum class Wiring { kMapped, kNetwork, kBare };

double connectMs(HubExchange& exchange, Wiring wiring) {
  if (wiring == Wiring::kBare) {
    exchange.barrier();
    return BareUcx(exchange).connectMs();
  }
  // Four that give to four, each to all.
  Rank self(exchange, {.sources = 4, .targets = 4, .network = wiring == Wiring::kNetwork, .numPages = 4});
  self.control.setCrowded(kConnected > std::thread::hardware_concurrency());  // as the world tells its ranks
  RankTransferOptions options = self.options();
  exchange.barrier();
  const auto transfer =
      RankTransfer::open(exchange, self.control, *self.device, std::move(options), nowNs() + kMinuteNs);
  const double connectMs = transfer->facts().setup.connectUs / 1e3;
  transfer->close(&exchange, nowNs() + kMinuteNs);
  return connectMs;
}

int connect(int rounds) {
  std::printf("round,ranks,mapped_ms,network_ms,bare_ucx_ms\n");
  std::fflush(stdout);
  for (int round = 0; round < rounds; ++round) {
    std::printf("%d,%u", round, kConnected);
    for (const Wiring wiring : {Wiring::kMapped, Wiring::kNetwork, Wiring::kBare}) {
      std::fflush(stdout);
      const auto body = [&](HubExchange& exchange) {
        const double tookMs = connectMs(exchange, wiring);
        exchange.barrier();
        if (exchange.rank() == 0) {
          std::printf(",%.2f", tookMs);
          std::fflush(stdout);
        }
        return 0;
      };
      if (allEnded(runRanks(kConnected, body, kLimitSeconds)) != 0) return 1;
    }
    std::printf("\n");
  }
  return 0;
}

#else
int bare(int) { return 0; }
int connect(int) { return 0; }
#endif

}  // namespace
}  // namespace railrunner::test

int main(int argc, char** argv) {
  using namespace railrunner::test;
  const std::string what = argc > 1 ? argv[1] : "";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  if (what == "memory") return move(false, rounds);
  if (what == "network") return move(true, rounds);
  if (what == "bare") return bare(rounds);
  if (what == "import") return import(rounds);
  if (what == "connect") return connect(rounds);
  std::fprintf(stderr, "usage: transfer_bench memory|network|bare|import|connect [ROUNDS]\n");
  return 2;
}
