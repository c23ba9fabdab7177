#pragma once

// Kept where the network's users look for it.
#include "core/exchange.h"
