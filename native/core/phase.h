#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace railrunner {

// What every measured operation gives back, whatever it does: kv, replicated, moe and what comes after them. The
// binding turns it into JavaScript in one place (binding/operation.h).

// Bytes of one iteration on this rank, by the path they take, counted where they are issued. 0: not taken.
struct PathBytes {
  uint64_t payload = 0;  // without headers and padding; 0 where only the caller can tell
  uint64_t self = 0;     // inside this rank's memory
  uint64_t ipc = 0;      // to or from memory of another rank of the node
  uint64_t network = 0;
  uint64_t pcie = 0;  // over the host link of a cuda device
  uint64_t disk = 0;  // through a file, padding and re-read edges included

  PathBytes& operator+=(const PathBytes& other) {
    payload += other.payload;
    self += other.self;
    ipc += other.ipc;
    network += other.network;
    pcie += other.pcie;
    disk += other.disk;
    return *this;
  }
};

// Samples of one phase by one timing.
struct Phase {
  std::string phase;  // "total", "load", "dispatchSend"
  const char* timing =
      "host";             // host: by the clock; event: device time, cold; graph: a call of a replayed graph
  std::string direction;  // "device->host"; '' where the operation has none
  std::vector<double> timesUs;  // one per recorded iteration; empty where this rank has no part in the phase
  std::vector<double> entrySkewUs;  // last minus first rank of the node through the gate, per gated iteration
  PathBytes bytes;
};

struct MeasuredPhases {
  std::vector<Phase> phases;
  bool stopped = false;  // a stop word ended the loop early; timesUs holds the samples finished before
};

// The limit of the same bytes by the same path on the same ranks, by one contiguous copy or the like.
struct ProbeResult {
  double GBps = 0;  // 0: nothing was probed
  std::string source;
  bool stopped = false;
};

}  // namespace railrunner
