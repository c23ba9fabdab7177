#include "moe/peer_links.h"

#include "core/attempt.h"

namespace railrunner::moe {

void PeerLinks::close(Exchange* exchange, int64_t deadlineNs) {
  const std::exception_ptr failure = attempt([&] {
    if (network != nullptr) network->close(exchange, deadlineNs);
  });
  network.reset();
  if (buffer != nullptr) buffer->close(exchange, deadlineNs);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace railrunner::moe
