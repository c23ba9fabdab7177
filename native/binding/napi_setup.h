#pragma once

// The one include of Node-API: its defines come from native/CMakeLists.txt (NAPI_VERSION,
// NAPI_CPP_EXCEPTIONS).
#include <napi.h>
