#pragma once

#include <string>

#include "world/plugin/mpi_plugin.h"

namespace railrunner {

// Opens the plug-in and checks its ABI number. Throws kMpiMissing with the loader's own words and the remedy
// command. The library is never closed: MPI leaves threads and exit handlers behind.
const MpiPlugin& loadMpiPlugin(const std::string& path);

}  // namespace railrunner
