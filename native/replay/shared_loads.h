#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "replicated/transfer.h"

namespace railrunner {

// Loads of replicated mode: the root alone has host and disk, and what it loads reaches the device pool of every rank.
// Every call is collective, and every rank names the same blocks. What the ranks map of each other is mapped at the first
// load from a tier and stays so.
class SharedLoads {
 public:
  // One request for host and one for disk, without blocks; `exchange` and `device` outlive it.
  SharedLoads(Exchange& exchange, Device& device, std::array<ReplicatedRequest, 2> requests);

  struct Outcome {
    PathBytes bytes;
    double loadUs = 0;  // from the first load to the last byte handed on
    double setUpUs =
        0;  // agreeing on the blocks and planning their copies; the first times also opening and trials
    bool stopped = false;
  };
  Outcome load(Tier from, std::vector<uint32_t> sourceIds, std::vector<uint32_t> targetIds, GateRef gate,
               RunControl& control);
  // Together: collective. Otherwise, after a failure, alone. Idempotent.
  void close(bool together, int64_t deadlineNs);
  // Of all loads so far.
  const std::vector<std::string>& strategiesUsed() const { return strategiesUsed_; }
  const std::string& networkTransport() const { return networkTransport_; }

 private:
  Exchange& exchange_;
  Device& device_;
  std::array<ReplicatedRequest, 2> requests_;
  std::array<std::unique_ptr<ReplicatedTransfer>, 2> transfers_;  // null before the first load from that tier
  std::vector<std::string> strategiesUsed_;
  std::string networkTransport_;
};

}  // namespace railrunner
