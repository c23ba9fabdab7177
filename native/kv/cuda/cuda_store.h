#pragma once

#include <memory>

#include "kv/pool_content.h"

namespace railrunner {

class Device;

// Content of a pool in memory of a cuda device, written and compared by kernels. `base` is the pool's first
// byte. Every word is compared whatever the step: that is quicker than choosing.
std::unique_ptr<ContentStore> makeCudaStore(Device& device, std::byte* base, const BlockLayout& layout);

}  // namespace railrunner
