#pragma once

#include <sys/socket.h>

namespace railrunner::test {

// Ends every TCP connection of this process, as a cable that is pulled does once the kernel has given up.
inline void cutLinks() {
  for (int descriptor = 3; descriptor < 256; ++descriptor) {
    sockaddr_storage address{};
    socklen_t bytes = sizeof(address);
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes) != 0 ||
        address.ss_family != AF_INET)
      continue;
    bytes = sizeof(address);
    if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &bytes) == 0)
      shutdown(descriptor, SHUT_RDWR);
  }
}

}  // namespace railrunner::test
