#pragma once

#ifdef RAILRUNNER_HAVE_UCX

#include "network/network_state.h"

namespace railrunner {

// The body of a proxy thread, until stopProxies.
void runProxy(Network::State& state, uint32_t index);

}  // namespace railrunner

#endif
