#pragma once

#include <cstdint>

namespace railrunner {

// True where this processor has stores that pass by its caches.
bool canStreamCopy();

// Copies like memcpy, but writes past the caches: the target's lines are not read first, which is a third of
// the traffic of a copy that fits no cache. Only where canStreamCopy(). Stores are ordered when it returns.
void streamCopy(void* target, const void* source, uint64_t bytes);

}  // namespace railrunner
