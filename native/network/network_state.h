#pragma once

#ifdef RAILRUNNER_HAVE_UCX

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/threads.h"
#include "network/network.h"
#include "network/trigger_fifo.h"
#include "network/worker.h"

namespace railrunner {

// Regions are numbered in the order of registration and never reused, so a late message can only miss.
inline constexpr uint32_t kMaxRegions = 1024;

struct Network::State {
  struct Region {
    ucp_mem_h memory = nullptr;  // only for remote write
  };
  // What a proxy thread is given. It progresses its worker when nobody else does, and drains its triggers.
  struct Proxy {
    std::atomic<bool> hasTriggers{false};
    TriggerFifo triggers;
  };

  State(uint32_t rank, uint32_t worldSize)
      : peers(rank, worldSize),
        proxyThreads("proxy threads of the network", [this] { stopProxies.store(true); }) {}

  NetworkOptions options;
  NetworkInfo info;
  PeerBoard peers;
  WorkerContext shared;
  NetworkProtocol contextProtocol = NetworkProtocol::kAuto;  // what shared.context was made for
  std::vector<std::vector<uint64_t>>
      peerBytes;                              // by region and rank: of that rank's memory; as arrivalRegions
  std::vector<ArrivalRegion> arrivalRegions;  // read by workers under their lock, changed under all locks
  std::vector<Region> regions;
  std::vector<std::unique_ptr<NetworkWorker>> workers;
  std::vector<std::unique_ptr<Proxy>> proxies;  // by worker
  std::atomic<bool> stopProxies{false};
  std::atomic<uint64_t> callerPolls{0};  // polls by waiting threads: proxies keep out of their way
  bool ended = false;
  ThreadGroup proxyThreads;

  // Both sides of a pair compute the same worker, so the records of one (source, slot) meet in one table.
  uint32_t workerIndex(uint32_t source, uint32_t target, uint32_t slot) const {
    return static_cast<uint32_t>((source + target + slot) % workers.size());
  }
  NetworkWorker& workerOf(uint32_t source, uint32_t target, uint32_t slot) {
    return *workers[workerIndex(source, target, slot)];
  }
  // Runs `body` while no thread is inside any worker.
  template <class Body>
  void withAllLocks(Body&& body) {
    std::vector<std::unique_lock<std::mutex>> locks;
    for (auto& worker : workers) locks.emplace_back(worker->mutex());
    body();
  }
  bool hasUnsent();
  void put(const NetworkPut& put);
  void signal(const NetworkSignal& signal, bool push);

  // The one end of a network, orderly or not: connections are cut, threads joined, UCX's objects destroyed. Idempotent,
  // never throws, waits for no other rank and never long.
  void end() noexcept;
};

}  // namespace railrunner

#endif
