#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace railrunner {

// The one collective call by which modules below the world set things up and take them down together. A run
// fills it with its World; tests with sockets or threads. A deadline of 0 leaves the bound to the caller's
// stage deadline.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual uint32_t rank() const = 0;
  virtual uint32_t worldSize() const = 0;
  // Every rank's bytes, by rank; lengths may differ. Throws kTimeout, kAborted or kWorldLost.
  virtual std::vector<std::vector<uint8_t>> allgather(std::span<const uint8_t> mine, int64_t deadlineNs) = 0;
  // This rank comes to no further call: the others' calls and waits end at once, where the exchange can tell them.
  virtual void announceFailure() {}
};

}  // namespace railrunner
