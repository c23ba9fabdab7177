#include "moe/cuda/probe.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/sampler.h"

namespace railrunner::moe::cuda {

using railrunner::cuda::Buffer;
using railrunner::cuda::check;

namespace {

// Of pieces. Which is best depends on how many bytes there are.
constexpr uint32_t kTriedBytes[] = {1024, 4096, kMostPieceBytes};
constexpr uint32_t kMostCallsOfGraph = 20;
constexpr uint64_t kMostBytesOfGraph = 256ULL << 20;  // of one rank: fewer calls where they are large

// So many that the largest of all ranks still ends soon.
uint32_t callsOfGraph(const std::vector<std::vector<uint64_t>>& bytes) {
  uint64_t most = 1;
  for (const auto& to : bytes) most = std::max(most, std::accumulate(to.begin(), to.end(), uint64_t{0}));
  return static_cast<uint32_t>(std::clamp<uint64_t>(kMostBytesOfGraph / most, 1, kMostCallsOfGraph));
}

}  // namespace

// What core/sampler.h asks for.
struct StoreSamples {
  PeerStores& stores;
  GateRef gate;

  // Before the last one all ranks have ended an earlier one and none has begun the last: what came is looked
  // at then.
  void beforeSample(uint32_t, bool isLast) {
    if (!isLast) return;
    if (gate.arrive(0) != 0) throw Error(ErrorCode::kAborted, "a rank failed while peer stores were probed");
    stores.requireArrived();
  }
  double run() { return stores.storeUs(); }
};

PeerStores::PeerStores(StorePlace place, uint64_t sourceBytes, RunControl& control)
    : place_(std::move(place)),
      control_(control),
      source_(Buffer::Place::kDevice, pieceSourceBytes(sourceBytes)),
      wrong_(Buffer::Place::kDevice, kMaxRanks * sizeof(unsigned long long)) {
  prepareProbeKernels();
  int ordinal = 0;
  int processors = 0;
  check(cudaGetDevice(&ordinal), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, ordinal),
        "cudaDeviceGetAttribute");
  processors_ = static_cast<uint32_t>(processors);
}

PathRate PeerStores::run(const std::vector<std::vector<uint64_t>>& bytes, GateRef gate, uint32_t repeats,
                         uint32_t& salt) {
  uint64_t stored = 0;
  for (uint32_t peer = 0; peer < place_.to.size(); ++peer) {
    if (place_.to[peer] != nullptr) stored += bytes[place_.rank][peer];
  }
  PathRate best;
  for (const uint32_t pieceBytes : kTriedBytes) {
    prepare(bytes, pieceBytes, ++salt);
    StoreSamples samples{*this, gate};
    const SampleSet set = sample(samples, gate, {kProbeWarmup, repeats, false}, control_);
    best.GBps = std::max(best.GBps, medianRate(stored, set.timesUs));
    best.stopped = set.stopped;
    if (best.stopped) break;
  }
  return best;
}

// The source is private: peers may still be at an earlier piece size.
void PeerStores::prepare(const std::vector<std::vector<uint64_t>>& bytes, uint32_t wantedPieceBytes,
                         uint32_t salt) {
  const auto worldSize = static_cast<uint32_t>(place_.to.size());
  const uint32_t pieceBytes = pieceBytesFor(wantedPieceBytes, place_.shareBytes);
  arrived_.salt = salt;
  arrived_.worldSize = worldSize;
  arrived_.wrong = wrong_.as<unsigned long long>();
  for (uint32_t source = 0; source < worldSize; ++source) {
    const bool comes = place_.from[source] != nullptr;
    arrived_.share[source] = reinterpret_cast<const uint32_t*>(place_.from[source]);
    arrived_.words[source] =
        comes ? arrivedBytes(bytes[source][place_.rank], place_.shareBytes, pieceBytes) / sizeof(uint32_t)
              : 0;
  }
  std::vector<ShareBytes> targets;
  for (const uint32_t peer : ranksAfter(place_.rank, worldSize)) {
    if (place_.to[peer] != nullptr) targets.push_back({place_.to[peer], bytes[place_.rank][peer]});
  }
  const PeerPieces pieces =
      peerPieces(source_.as<std::byte>(), source_.bytes(), place_.shareBytes, wantedPieceBytes, targets);
  launchFillPieces(source_.as<uint32_t>(), source_.bytes() / sizeof(uint32_t), salt, place_.rank, stream_);
  callsOfGraph_ = callsOfGraph(bytes);
  graph_.reset();
  if (pieces.numUnits > 0) {
    graph_ = std::make_unique<TimedGraph>(stream_, [&] {
      for (uint32_t i = 0; i < callsOfGraph_; ++i) launchPeerPieces(pieces, processors_, stream_);
    });
  }
  finish();
}

// Of one call. The first replay covers the launch of the second, which is timed; the third keeps the links
// busy for ranks that began a little later.
double PeerStores::storeUs() {
  if (graph_ == nullptr) return 0;
  graph_->replay();
  graph_->replayTimed();
  graph_->replay();
  finish();
  return graph_->timeUs() / callsOfGraph_;
}

void PeerStores::requireArrived() {
  check(cudaMemsetAsync(wrong_.as(), 0, wrong_.bytes(), stream_), "cudaMemsetAsync");
  launchCountWrong(arrived_, stream_);
  finish();
  std::vector<unsigned long long> wrong(arrived_.worldSize);
  check(cudaMemcpy(wrong.data(), wrong_.as(), wrong.size() * sizeof(wrong[0]), cudaMemcpyDeviceToHost),
        "cudaMemcpy");
  for (uint32_t source = 0; source < arrived_.worldSize; ++source) {
    if (wrong[source] == 0) continue;
    throw Error(ErrorCode::kWrongData,
                "MoE probe: rank " + std::to_string(place_.rank) + " expected " +
                    std::to_string(arrived_.words[source]) + " words of rank " + std::to_string(source) +
                    ", and " + std::to_string(wrong[source]) +
                    " of them did not arrive or are not what was stored. Check the links between the GPUs.");
  }
}

void PeerStores::finish() {
  done_.record(stream_);
  try {
    done_.wait(control_);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kAborted) throw;
    check(cudaStreamSynchronize(stream_),
          "cudaStreamSynchronize");  // bounded: the probe's kernels wait for no other rank
    throw Error(ErrorCode::kAborted, "probe: rank " + std::to_string(place_.rank) +
                                         " was told to stop while it stored to its peers");
  }
}

PathRate probeStores(const ProbedPoint& point, const StorePlace& place, uint32_t& salt) {
  std::unique_ptr<PeerStores> stores;
  const auto bytes = agreeOnProbe(
      point.exchange, point.request,
      [&] { stores = std::make_unique<PeerStores>(place, probeSourceBytes(point.request), point.control); },
      point.deadlineNs);
  return stores->run(bytes, point.gate, point.request.repeats, salt);
}

}  // namespace railrunner::moe::cuda
