#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "network/network.h"
#include "network/ucx_api.h"

namespace railrunner {

#ifdef RAILRUNNER_HAVE_UCX

NetworkProbe probeNetwork() {
  NetworkProbe probe;
  try {
    probe.version = ucx().ucp_get_version_string();
    ucp_context_h context = createUcxContext(NetworkOptions{}.transports, 0, false);
    char* text = nullptr;
    size_t bytes = 0;
    FILE* stream = open_memstream(&text, &bytes);
    if (stream == nullptr) throw errnoError(ErrorCode::kNetwork, "network: open_memstream", errno);
    ucx().ucp_context_print_info(context, stream);
    std::fclose(stream);
    ucp_context_attr_t attributes{};
    attributes.field_mask = UCP_ATTR_FIELD_MEMORY_TYPES;
    if (ucx().ucp_context_query(context, &attributes) == UCS_OK) {
      probe.cudaMemory = (attributes.memory_types & UCS_BIT(UCS_MEMORY_TYPE_CUDA)) != 0;
    }
    ucx().ucp_cleanup(context);
    const std::string info(text, bytes);
    std::free(text);
    // "#  resource 1  :  md 1  dev 1  flags -- tcp/lo": printed so by every version.
    for (size_t at = info.find("resource "); at != std::string::npos; at = info.find("resource ", at + 1)) {
      const size_t end = info.find('\n', at);
      const std::string line = info.substr(at, end - at);
      const std::string name = line.substr(line.rfind(' ') + 1);
      if (name.rfind("self/", 0) != 0) probe.transports.push_back(name);
    }
    probe.available = !probe.transports.empty();
    if (!probe.available) probe.reason = "UCX finds no network device: only shared memory";
  } catch (const Error& error) {
    probe.reason = error.what();
  }
  return probe;
}

#else

NetworkProbe probeNetwork() {
  NetworkProbe probe;
  probe.reason = "this build has no UCX (its headers were not found)";
  return probe;
}

#endif

}  // namespace railrunner
