#pragma once

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/exchange.h"

// Ranks as processes of one host without MPI: forked, with the parent as the hub of their collective calls.
namespace railrunner::test {

inline void writeAll(int descriptor, const void* data, size_t bytes) {
  const uint8_t* at = static_cast<const uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t written = send(descriptor, at, bytes, MSG_NOSIGNAL);
    if (written <= 0) throw Error(ErrorCode::kWorldLost, "the hub of the test ranks is gone");
    at += written;
    bytes -= static_cast<size_t>(written);
  }
}

inline void readAll(int descriptor, void* data, size_t bytes) {
  uint8_t* at = static_cast<uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t got = read(descriptor, at, bytes);
    if (got <= 0) throw Error(ErrorCode::kWorldLost, "the hub of the test ranks is gone");
    at += got;
    bytes -= static_cast<size_t>(got);
  }
}

class HubExchange : public Exchange {
 public:
  HubExchange(int descriptor, uint32_t rank, uint32_t worldSize)
      : descriptor_(descriptor), rank_(rank), worldSize_(worldSize) {}
  uint32_t rank() const override { return rank_; }
  uint32_t worldSize() const override { return worldSize_; }
  std::vector<std::vector<uint8_t>> allgather(std::span<const uint8_t> mine, int64_t) override {
    const uint64_t bytes = mine.size();
    writeAll(descriptor_, &bytes, sizeof(bytes));
    writeAll(descriptor_, mine.data(), bytes);
    std::vector<std::vector<uint8_t>> all(worldSize_);
    for (auto& one : all) {
      uint64_t size = 0;
      readAll(descriptor_, &size, sizeof(size));
      one.resize(size);
      readAll(descriptor_, one.data(), size);
    }
    return all;
  }
  void barrier() { allgather({}, 0); }

 private:
  int descriptor_;
  uint32_t rank_;
  uint32_t worldSize_;
};

struct RankOutcome {
  int exitStatus = -1;  // 128 + signal for a rank that was killed
};

// Takes one message from every rank and gives all of them to every rank. False when a rank is gone.
inline bool relayOnce(const std::vector<int>& hub) {
  try {
    std::vector<uint8_t> all;
    for (const int descriptor : hub) {
      uint64_t bytes = 0;
      readAll(descriptor, &bytes, sizeof(bytes));
      const size_t at = all.size();
      all.resize(at + sizeof(bytes) + bytes);
      std::memcpy(all.data() + at, &bytes, sizeof(bytes));
      readAll(descriptor, all.data() + at + sizeof(bytes), bytes);
    }
    for (const int descriptor : hub) writeAll(descriptor, all.data(), all.size());
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Runs `body` as `worldSize` processes; its return value is the rank's exit status. Relays collective calls
// among the ranks that still live. Every rank is killed after `limitSeconds`.
inline std::vector<RankOutcome> runRanks(uint32_t worldSize, const std::function<int(HubExchange&)>& body,
                                         unsigned limitSeconds = 140) {
  std::vector<int> hub(worldSize);
  std::vector<pid_t> children(worldSize);
  std::fflush(nullptr);
  for (uint32_t rank = 0; rank < worldSize; ++rank) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
      throw errnoError(ErrorCode::kState, "socketpair", errno);
    children[rank] = fork();
    if (children[rank] == 0) {
      for (uint32_t other = 0; other < rank; ++other) close(hub[other]);
      close(ends[0]);
      alarm(limitSeconds);
      int status = 70;
      try {
        HubExchange exchange(ends[1], rank, worldSize);
        status = body(exchange);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "rank %u threw: %s\n", rank, error.what());
      }
      std::fflush(nullptr);
      _exit(status);
    }
    close(ends[1]);
    hub[rank] = ends[0];
  }
  // One collective call per round, until a rank is gone.
  while (relayOnce(hub)) {
  }
  for (const int descriptor : hub) close(descriptor);
  std::vector<RankOutcome> outcomes(worldSize);
  for (uint32_t rank = 0; rank < worldSize; ++rank) {
    int status = 0;
    waitpid(children[rank], &status, 0);
    outcomes[rank].exitStatus = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return outcomes;
}

}  // namespace railrunner::test
