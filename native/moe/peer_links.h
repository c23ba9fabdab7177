#pragma once

#include <cstdint>
#include <memory>

#include "core/exchange.h"
#include "network/network.h"
#include "peers/symmetric_buffer.h"

namespace railrunner::moe {

// By what a point reaches its peers: memory of its own node, and the network where a peer is on another. Held by all that
// opens the point and by its bench, whatever the device, and ended once: by close(), or by the last of them that goes.
struct PeerLinks {
  std::unique_ptr<SymmetricBuffer> buffer;
  std::shared_ptr<void> reached;  // memory that `region` is in, where that is not the buffer
  std::unique_ptr<Network>
      network;  // null where every peer shares memory; last: it ends before what it reaches
  uint32_t region = 0;

  // As SymmetricBuffer::close. A network that cannot be closed in order is cut, and the buffer is closed all the same:
  // its agreement does not go over the link that was lost.
  void close(Exchange* exchange, int64_t deadlineNs);
};

}  // namespace railrunner::moe
