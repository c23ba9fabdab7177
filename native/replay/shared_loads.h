#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "replicated/transfer.h"

namespace railrunner {

// Loads of replicated mode: the root alone has host and disk, and what it loads reaches the device pool of every rank.
// Every call is collective, and every rank names the same blocks.
class SharedLoads {
 public:
  // One request for host and one for disk, without blocks; `exchange` and `device` outlive it.
  SharedLoads(Exchange& exchange, Device& device, std::array<ReplicatedRequest, 2> requests);

  struct Outcome {
    PathBytes bytes;
    double loadUs = 0;   // from the first load to the last byte handed on
    double setUpUs = 0;  // opening and closing, which an engine does once
    bool stopped = false;
  };
  Outcome load(Tier from, std::vector<uint32_t> sourceIds, std::vector<uint32_t> targetIds, GateRef gate,
               RunControl& control);
  const std::string& strategyUsed() const { return strategyUsed_; }
  const std::string& networkTransport() const { return networkTransport_; }

 private:
  Exchange& exchange_;
  Device& device_;
  std::array<ReplicatedRequest, 2> requests_;
  std::string strategyUsed_;
  std::string networkTransport_;
};

}  // namespace railrunner
