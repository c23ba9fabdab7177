#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/exchange.h"
#include "device/device.h"

namespace railrunner {

// Memory of the same size on every rank, that same-node peers reach by loads and stores. Zeroed before any
// peer knows of it, so that a fast peer's first write is not wiped.
class SymmetricBuffer {
 public:
  // Collective, each step with an agreement: either every rank gets its buffer, or every rank throws and the
  // message names the ranks that could not. `sharesMemory[rank]`: non-zero for peers to map (same node).
  // Sizes and the relation are the same on all ranks; the own entry is ignored.
  static std::unique_ptr<SymmetricBuffer> open(Exchange& exchange, Device& device, uint64_t bytes,
                                               const std::vector<uint8_t>& sharesMemory, int64_t deadlineNs);
  // One that was not closed: as close(nullptr) does.
  ~SymmetricBuffer();
  SymmetricBuffer(const SymmetricBuffer&) = delete;
  SymmetricBuffer& operator=(const SymmetricBuffer&) = delete;

  // By rank: where that rank's buffer is here; null = not mapped, use the network. The own entry is the local
  // pointer.
  const std::vector<std::byte*>& bases() const { return bases_; }
  std::byte* local() const { return static_cast<std::byte*>(own_->data()); }
  uint64_t bytes() const { return own_->bytes(); }

  // Idempotent. With an exchange: collective, in the order that IPC demands: every rank closes what it imported, all
  // agree, owners free. With null (after failures): peers' mappings are closed here, and the own memory, which a peer may
  // still have mapped, is freed by the next open() in which every rank says that it has released it.
  void close(Exchange* exchange, int64_t deadlineNs);

 private:
  SymmetricBuffer() = default;
  void closeImports();
  void openPeers(Device& device, uint32_t rank, const std::vector<std::vector<uint8_t>>& announcements,
                 const std::vector<uint8_t>& sharesMemory);

  std::unique_ptr<DeviceMemory> own_;
  std::vector<std::unique_ptr<DeviceMemory>> imports_;  // by rank, null where not mapped
  std::vector<std::byte*> bases_;
};

// What of a peer's handle would make mapping it wrong or dangerous; '' = nothing. It came over the wire.
std::string faultOf(const ShareHandle& handle, DeviceKind kind, uint64_t expectedRangeBytes);

}  // namespace railrunner
