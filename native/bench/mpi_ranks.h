#pragma once

#include <unistd.h>

#include <string>
#include <vector>

#include "core/exchange.h"
#include "core/wait.h"
#include "world/mpi.h"
#include "world/plugin_loader.h"

// Ranks of a benchmark under mpirun, through the MPI plug-in, without the world around them.
namespace railrunner::bench {

class MpiRanks : public Exchange {
 public:
  explicit MpiRanks(const std::string& pluginPath) : mpi_(loadMpiPlugin(pluginPath)) {
    mpi_.check(mpi_.calls.init(), "MPI_Init_thread");
    int rank = 0, size = 0;
    mpi_.check(mpi_.calls.rank(kMpiWorld, &rank), "MPI_Comm_rank");
    mpi_.check(mpi_.calls.size(kMpiWorld, &size), "MPI_Comm_size");
    rank_ = static_cast<uint32_t>(rank), size_ = static_cast<uint32_t>(size);
    control_.setCrowded(size > sysconf(_SC_NPROCESSORS_ONLN));
  }
  RunControl& control() { return control_; }
  uint32_t rank() const override { return rank_; }
  uint32_t worldSize() const override { return size_; }
  std::vector<std::vector<uint8_t>> allgather(std::span<const uint8_t> mine, int64_t) override {
    std::vector<uint64_t> sizes(size_);
    const uint64_t own = mine.size();
    int request = -1;
    mpi_.check(mpi_.calls.iallgather(kMpiWorld, &own, sizeof(own), sizes.data(), &request), "sizes");
    wait(request);
    std::vector<int> counts, places;
    int total = 0;
    for (const uint64_t size : sizes) {
      counts.push_back(static_cast<int>(size)), places.push_back(total);
      total += static_cast<int>(size);
    }
    std::vector<uint8_t> all(static_cast<size_t>(total) + 1);
    mpi_.check(mpi_.calls.iallgatherv(kMpiWorld, mine.data(), static_cast<int>(own), all.data(),
                                      counts.data(), places.data(), &request),
               "MPI_Iallgatherv");
    wait(request);
    std::vector<std::vector<uint8_t>> parts;
    for (uint32_t i = 0; i < size_; ++i)
      parts.emplace_back(all.begin() + places[i], all.begin() + places[i] + counts[i]);
    return parts;
  }
  void barrier() {
    int request = -1;
    mpi_.check(mpi_.calls.ibarrier(kMpiWorld, &request), "MPI_Ibarrier");
    wait(request);
  }
  void alltoallv(const void* from, const std::vector<int>& sent, const std::vector<int>& sentAt, void* to,
                 const std::vector<int>& received, const std::vector<int>& receivedAt) {
    int request = -1;
    mpi_.check(mpi_.calls.ialltoallv(kMpiWorld, from, sent.data(), sentAt.data(), to, received.data(),
                                     receivedAt.data(), &request),
               "MPI_Ialltoallv");
    wait(request);
  }
  void finalize() { mpi_.check(mpi_.calls.finalize(), "MPI_Finalize"); }

 private:
  void wait(int request) {
    Backoff backoff(control_);
    while (!mpi_.test(request, "MPI_Test")) backoff.pause();
  }
  Mpi mpi_;
  RunControl control_;
  uint32_t rank_ = 0, size_ = 0;
};

}  // namespace railrunner::bench
