#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/exchange.h"
#include "device/device.h"

namespace railrunner {

// Places of an arrival that a consumer on the device looks at as soon as the word of `peer` says that it is whole.
struct WatchedArrival {
  uint32_t peer = 0;
  std::vector<uint64_t> wordAddresses;  // of 8 bytes each, which the device reaches
};

// Words in memory of the device that say, to kernels, what notices say to CPUs: all bytes of that rank are in your
// memory. One per ordered pair of ranks, the number of the iteration.
class ArrivalWatch {
 public:
  // Collective, with agreement. Null on the host device, whose notices are seen by all that copy there.
  static std::unique_ptr<ArrivalWatch> open(Exchange& exchange, Device& device,
                                            const std::vector<uint8_t>& sharesMemory, int64_t deadlineNs);
  virtual ~ArrivalWatch() = default;

  // The word that tells `peer` (or the own rank) of bytes from this one; null where its memory is not mapped.
  virtual uint64_t* wordTo(uint32_t peer) const = 0;
  // The word that tells this rank's device of bytes from `peer`.
  virtual uint64_t* wordFrom(uint32_t peer) const = 0;

  // A consumer on the device for each arrival: waits until the word has reached `epoch`, then looks for poison. Returns
  // at once. Ends what it watched before.
  virtual void look(const std::vector<WatchedArrival>& arrivals, uint64_t epoch, uint64_t poison) = 0;
  // Whether the device has seen the arrival of `peer` in this look, which was among them.
  virtual bool hasSeen(uint32_t peer) const = 0;
  // Behind hasSeen(peer): which of its addresses held poison, the first of them.
  virtual std::optional<uint64_t> early(uint32_t peer) const = 0;
  // Nobody waits any more. Idempotent.
  virtual void stop() noexcept = 0;
  // As SymmetricBuffer::close.
  virtual void close(Exchange* exchange, int64_t deadlineNs) = 0;
};

}  // namespace railrunner
