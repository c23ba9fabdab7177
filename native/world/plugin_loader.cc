#include "world/plugin_loader.h"

#include <dlfcn.h>

#include "core/error.h"

namespace railrunner {

const MpiPlugin& loadMpiPlugin(const std::string& path) {
  // RTLD_LOCAL: symbols of MPI, and of the UCX that it may bring, must not meet those of anything else here.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    throw Error(ErrorCode::kMpiMissing,
                "the MPI plug-in " + path +
                    " does not load: " + (reason != nullptr ? reason : "unknown reason") +
                    ". Install the MPI library it names, or build again with: npm run build");
  }
  auto entry = reinterpret_cast<MpiPluginEntry>(dlsym(library, RAILRUNNER_MPI_PLUGIN_ENTRY));
  if (entry == nullptr) {
    throw Error(ErrorCode::kMpiMissing,
                path + "is not an MPI plug-in: it does not export " RAILRUNNER_MPI_PLUGIN_ENTRY);
  }
  const MpiPlugin* plugin = entry();
  if (plugin == nullptr || plugin->abi != kMpiPluginAbi) {
    throw Error(ErrorCode::kMpiMissing, path + " was built for another railrunner: expected plug-in ABI " +
                                            std::to_string(kMpiPluginAbi) + ", received " +
                                            (plugin != nullptr ? std::to_string(plugin->abi) : "none") +
                                            ". Build again with: npm run build");
  }
  // Components of some Open MPI builds expect libmpi's symbols in the global scope. Promoting this library
  // alone keeps everything else local; NOLOAD: it is there already, or this is another MPI.
  if (std::string(plugin->name) == "openmpi") dlopen("libmpi.so.40", RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  return *plugin;
}

}  // namespace railrunner
