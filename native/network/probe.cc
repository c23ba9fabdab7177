#include "network/network.h"
#include "network/ucx_api.h"

namespace railrunner {

#ifdef RAILRUNNER_HAVE_UCX

NetworkProbe probeNetwork(const std::string& transports) {
  NetworkProbe probe;
  try {
    probe.version = ucx().ucp_get_version_string();
    ucp_context_h context = createUcxContext(transports, 0, false);
    probe.transports = networkResources(context);
    ucp_context_attr_t attributes{};
    attributes.field_mask = UCP_ATTR_FIELD_MEMORY_TYPES;
    if (ucx().ucp_context_query(context, &attributes) == UCS_OK) {
      probe.cudaMemory = (attributes.memory_types & UCS_BIT(UCS_MEMORY_TYPE_CUDA)) != 0;
    }
    ucx().ucp_cleanup(context);
    probe.available = true;
  } catch (const Error& error) {
    probe.reason = error.what();
  }
  return probe;
}

#else

NetworkProbe probeNetwork(const std::string&) {
  NetworkProbe probe;
  probe.reason = "this build has no UCX (its headers were not found)";
  return probe;
}

#endif

}  // namespace railrunner
