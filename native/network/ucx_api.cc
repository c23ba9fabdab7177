#include "network/ucx_api.h"

#ifdef RAILRUNNER_HAVE_UCX

#include <dlfcn.h>

#include <utility>
#include <vector>

namespace railrunner {

namespace {

constexpr const char* kLibrary = "libucp.so.0";

UcxApi loadUcx() {
  // Local scope: MPICH brings a UCX of its own, and symbols of one must never be found by the other.
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    throw Error(ErrorCode::kNetworkMissing, std::string("network: ") + kLibrary + " does not load (" +
                                                (reason != nullptr ? reason : "no reason given") +
                                                "). Install UCX, or put its folder on LD_LIBRARY_PATH.");
  }
  UcxApi api;
#define RAILRUNNER_UCX_LOAD(name)                                                                      \
  api.name = reinterpret_cast<decltype(api.name)>(dlsym(library, #name));                              \
  if (api.name == nullptr) {                                                                           \
    throw Error(ErrorCode::kNetworkMissing, std::string("network: ") + kLibrary +                      \
                                                " has no " #name                                       \
                                                ", expected UCX 1.13 or newer. Install a newer UCX."); \
  }
  RAILRUNNER_UCX_FUNCTIONS(RAILRUNNER_UCX_LOAD)
#undef RAILRUNNER_UCX_LOAD
  return api;
}

}  // namespace

const UcxApi& ucx() {
  static const UcxApi api = loadUcx();  // a failed load throws and is tried again by the next call
  return api;
}

Error ucxError(const std::string& where, ucs_status_t status) {
  return Error(ErrorCode::kNetwork, "network: " + where + ": " + ucx().ucs_status_string(status));
}

ucp_context_h createUcxContext(const std::string& transports, uint64_t segmentBytes, bool severalWorkers) {
  ucp_config_t* config = nullptr;
  ucs_status_t status = ucx().ucp_config_read(nullptr, nullptr, &config);
  if (status != UCS_OK) throw ucxError("ucp_config_read", status);
  // Settings of TCP are known to ucp_config_modify without their prefix up to UCX 1.16, and with it from 1.17
  // on.
  unsigned major = 0, minor = 0, release = 0;
  ucx().ucp_get_version(&major, &minor, &release);
  const std::string tcp = UCP_VERSION(major, minor) < UCP_VERSION(1, 17) ? "" : "TCP_";
  std::vector<std::pair<std::string, std::string>> settings = {
      {"TLS", transports},
      // A peer whose host went away answers nothing. With these the side that connected learns it after about
      // five seconds when it has nothing under way; the accepting side, and data under way, end by deadlines.
      {tcp + "KEEPIDLE", "2s"},
      {tcp + "KEEPINTVL", "1s"},
      {tcp + "KEEPCNT", "3"},
      // Connecting to a host that does not answer must not block the caller.
      {tcp + "CONN_NB", "y"},
  };
  if (segmentBytes != 0) {
    // One piece a message: no reassembly and no copy before the payloads are put into place (8.6 instead
    // of 5.3 GB/s for 256 KiB over loopback), and messages of a connection stay in order.
    const std::string segment = std::to_string(segmentBytes);
    settings.insert(settings.end(), {{tcp + "TX_SEG_SIZE", segment},
                                     {tcp + "RX_SEG_SIZE", segment},
                                     {"RNDV_THRESH", "inf"},
                                     {"ZCOPY_THRESH", "inf"}});
  }
  for (const auto& [name, value] : settings) {
    status = ucx().ucp_config_modify(config, name.c_str(), value.c_str());
    if (status != UCS_OK) {
      ucx().ucp_config_release(config);
      throw ucxError("setting UCX_" + name + "=" + value, status);
    }
  }
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED | UCP_PARAM_FIELD_NAME;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_RMA;
  params.mt_workers_shared = severalWorkers ? 1 : 0;
  params.name = "railrunner";
  ucp_context_h context = nullptr;
  status = ucx().ucp_init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &context);
  ucx().ucp_config_release(config);
  if (status != UCS_OK) {
    throw ucxError(
        "ucp_init with UCX_TLS=" + transports + " (is there a network device besides shared memory?)",
        status);
  }
  return context;
}

}  // namespace railrunner

#endif
