#pragma once

#include "bench/moe_cuda_rank.cuh"
#include "moe/cuda/probe_kernels.h"

// The probe of the benchmark: what the links take for the bytes of one call alone, as PeerStores measures it.
struct ProbedRank : CheckedRank {
  using CheckedRank::CheckedRank;

  static constexpr uint32_t kProbeCalls = 20;
  static constexpr uint32_t kProbeReplays = 24;

  // Rows, flags and words of one call from `source` to `target`, as CudaBench counts them.
  uint64_t callBytes(bool isCombine, uint32_t source, uint32_t target) const {
    const Inputs& in = w.inputs[isCombine ? target : source];
    const uint32_t host = isCombine ? source : target;
    const Shape& s = c.shape;
    uint64_t tokens = 0;
    uint64_t choices = 0;
    for (uint32_t token = 0; token < in.numTokens; ++token) {
      const auto first = in.ids.begin() + static_cast<std::ptrdiff_t>(token) * s.numTopk;
      const auto hits = std::count_if(first, first + s.numTopk, [&](int32_t id) {
        return id >= 0 && s.rankOfExpert(static_cast<uint32_t>(id)) == host;
      });
      tokens += hits > 0 ? 1 : 0;
      choices += static_cast<uint64_t>(hits);
    }
    const uint64_t rows = s.dedup ? tokens : choices;
    if (isCombine) return rows * args.map.combineBytes + 8 * (tokens * launch.slices + 1);
    const uint64_t words = 1 + planWords(s, in.numTokens) + tokens * launch.slices;
    return rows * args.map.messageBytes + 8 * words;
  }

  uint64_t shareBytes() const { return (args.map.blockBytes - args.map.rows) / kPieceGrain * kPieceGrain; }
  // The share of `source` at `owner`.
  std::byte* share(uint32_t owner, uint32_t source) const {
    return w.bases[owner] + blockOffset(args.map, source) + args.map.rows;
  }

  // Median of one call's stores; every byte of what came is compared.
  void timeProbe(bool isCombine, uint32_t pieceBytes, uint32_t salt) {
    uint64_t rows = 0;
    for (uint32_t peer = 0; peer < w.size; ++peer) rows += callBytes(isCombine, rank, peer);
    const uint64_t memory = isCombine ? rows : c.tokens[0] * args.map.messageBytes;
    const uint64_t sourceBytes = pieceSourceBytes(memory);
    if (probeSource == nullptr || probeSourceBytes < sourceBytes) {
      probeSource = array<std::byte>(sourceBytes);
      probeSourceBytes = sourceBytes;
    }
    std::vector<ShareBytes> targets;
    uint64_t bytes = 0;
    for (uint32_t step = 1; step < w.size; ++step) {
      const uint32_t peer = (rank + step) % w.size;
      targets.push_back({share(peer, rank), callBytes(isCombine, rank, peer)});
      bytes += targets.back().bytes;
    }
    const PeerPieces pieces = peerPieces(probeSource, sourceBytes, shareBytes(), pieceBytes, targets);
    launchFillPieces(reinterpret_cast<uint32_t*>(probeSource), sourceBytes / 4, salt, rank, stream);
    sync();
    const double us = replayedUs(pieces);
    const std::string name =
        std::string(isCombine ? "combine" : "dispatch") + " probe," + std::to_string(pieces.pieceBytes) + ",";
    w.figures[rank][name + "graph"] = us;
    w.figures[rank][name + "GBps"] = us > 0 ? static_cast<double>(bytes) / us * 1e-3 : 0;
    requireArrived(isCombine, pieces.pieceBytes, salt);
  }

 private:
  double replayedUs(const PeerPieces& pieces) {
    int processors = 0;
    CUDA(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, static_cast<int>(rank)));
    cudaGraph_t graph{};
    cudaGraphExec_t exec{};
    CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    for (uint32_t i = 0; i < kProbeCalls; ++i) {
      launchPeerPieces(pieces, static_cast<uint32_t>(processors), stream);
    }
    CUDA(cudaStreamEndCapture(stream, &graph));
    CUDA(cudaGraphInstantiate(&exec, graph, 0));
    CUDA(cudaGraphUpload(exec, stream));
    sync();
    cudaEvent_t events[kProbeReplays + 1];
    for (auto& e : events) CUDA(cudaEventCreate(&e));
    w.meet.arrive_and_wait();
    barrier();
    for (uint32_t i = 0; i < kProbeReplays; ++i) {
      CUDA(cudaEventRecord(events[i], stream));
      CUDA(cudaGraphLaunch(exec, stream));
    }
    CUDA(cudaEventRecord(events[kProbeReplays], stream));
    sync();
    std::vector<float> us;
    // The last ones may run next to ranks that have ended.
    for (uint32_t i = 2; i + 2 < kProbeReplays; ++i) {
      float ms = 0;
      CUDA(cudaEventElapsedTime(&ms, events[i], events[i + 1]));
      us.push_back(ms * 1000 / kProbeCalls);
    }
    std::sort(us.begin(), us.end());
    for (auto& e : events) CUDA(cudaEventDestroy(e));
    CUDA(cudaGraphExecDestroy(exec));
    CUDA(cudaGraphDestroy(graph));
    w.meet.arrive_and_wait();
    return us[us.size() / 2];
  }

  void requireArrived(bool isCombine, uint32_t pieceBytes, uint32_t salt) {
    ArrivedShares arrived{};
    arrived.salt = salt;
    arrived.worldSize = w.size;
    arrived.wrong = array<unsigned long long>(w.size);
    for (uint32_t source = 0; source < w.size; ++source) {
      if (source == rank) continue;
      arrived.share[source] = reinterpret_cast<const uint32_t*>(share(rank, source));
      arrived.words[source] =
          arrivedBytes(callBytes(isCombine, source, rank), shareBytes(), pieceBytes) / sizeof(uint32_t);
      w.checked += arrived.words[source];
    }
    launchCountWrong(arrived, stream);
    sync();
    const auto wrong = fetched(arrived.wrong, w.size);
    for (uint32_t source = 0; source < w.size; ++source) {
      if (wrong[source] != 0) bad("probe", source, pieceBytes, wrong[source], 0);
    }
    w.meet.arrive_and_wait();
  }

  std::byte* probeSource{};
  uint64_t probeSourceBytes = 0;
};
