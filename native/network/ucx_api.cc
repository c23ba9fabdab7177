#include "network/ucx_api.h"

#ifdef RAILRUNNER_HAVE_UCX

#include <dlfcn.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "network/ucx_settings.h"

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

namespace {

// " (set: UCX_TLS=rc)": what of the environment may be the reason.
std::string setVariables() {
  const std::string variables = ucxVariables();
  return variables.empty() ? "" : " (set: " + variables + ")";
}

constexpr const char* kEmulation = "PROTO_EMULATION_ENABLE";

// What a function of UCX prints.
template <class Print>
std::string printed(Print&& print) {
  char* text = nullptr;
  size_t bytes = 0;
  FILE* stream = open_memstream(&text, &bytes);
  if (stream == nullptr) throw errnoError(ErrorCode::kNetwork, "network: open_memstream", errno);
  print(stream);
  std::fclose(stream);
  std::string all(text, bytes);
  std::free(text);
  return all;
}

// A configuration says its settings, and their values, only by printing them.
std::string printedConfiguration(const ucp_config_t* config) {
  return printed([&](FILE* stream) { ucx().ucp_config_print(config, stream, "", UCS_CONFIG_PRINT_CONFIG); });
}

// UCX_TLS, from the environment or UCX's files.
std::string configuredTransports(const std::string& all) {
  constexpr std::string_view kName = "UCX_TLS=";
  const size_t at = all.find(kName);
  if (at == std::string::npos) return "";
  return all.substr(at + kName.size(), all.find('\n', at) - at - kName.size());
}

// Set once a network was opened. A machine without one skips its points; one that lost it in the middle of a run (an
// interface that went down) has failed them.
std::atomic<bool> hadNetwork{false};

Error noNetwork(const std::string& what) {
  if (hadNetwork)
    return Error(ErrorCode::kNetwork, what + ", which it did earlier in this run" + setVariables());
  return Error(ErrorCode::kNetworkMissing, what + setVariables());
}

}  // namespace

Error ucxError(const std::string& where, ucs_status_t status) {
  return Error(ErrorCode::kNetwork,
               "network: " + where + ": " + ucx().ucs_status_string(status) + setVariables());
}

std::vector<std::string> networkResources(ucp_context_h context) {
  const std::string info = printed([&](FILE* stream) { ucx().ucp_context_print_info(context, stream); });
  std::vector<std::string> names;
  // "#  resource 1  :  md 1  dev 1  flags -- tcp/lo": printed so by every version.
  for (size_t at = info.find("resource "); at != std::string::npos; at = info.find("resource ", at + 1)) {
    const size_t end = info.find('\n', at);
    const std::string line = info.substr(at, end - at);
    const std::string name = line.substr(line.rfind(' ') + 1);
    if (name.rfind("self/", 0) != 0) names.push_back(name);
  }
  return names;
}

ucp_context_h createUcxContext(const std::string& asked, uint64_t segmentBytes, bool severalWorkers) {
  ucp_config_t* raw = nullptr;
  ucs_status_t status = ucx().ucp_config_read(nullptr, nullptr, &raw);
  if (status != UCS_OK) throw ucxError("ucp_config_read", status);
  const std::unique_ptr<ucp_config_t, decltype(ucx().ucp_config_release)> config(raw,
                                                                                 ucx().ucp_config_release);
  const std::string configuration = printedConfiguration(raw);
  const std::string transports =
      asked.empty() ? networkTransports(configuredTransports(configuration)) : asked;
  // Settings of TCP are known to ucp_config_modify without their prefix up to UCX 1.16, and with it from 1.17
  // on.
  unsigned major = 0, minor = 0, release = 0;
  ucx().ucp_get_version(&major, &minor, &release);
  const std::string tcp = UCP_VERSION(major, minor) < UCP_VERSION(1, 17) ? "" : "TCP_";
  std::vector<std::pair<std::string, std::string>> settings = {
      {"TLS", transports},
      // A peer whose host went away answers nothing. With these the side that connected learns it after about
      // five seconds when it has nothing in flight; the accepting side, and data in flight, end by deadlines.
      {tcp + "KEEPIDLE", "2s"},
      {tcp + "KEEPINTVL", "1s"},
      {tcp + "KEEPCNT", "3"},
      // Connecting to a host that does not answer must not block the caller.
      {tcp + "CONN_NB", "y"},
  };
  if (segmentBytes != 0) {
    // One piece per message: no reassembly and no copy before the payloads are put into place (8.6 instead
    // of 5.3 GB/s for 256 KiB over loopback), and messages of a connection stay in order.
    const std::string segment = std::to_string(segmentBytes);
    settings.insert(settings.end(), {{tcp + "TX_SEG_SIZE", segment},
                                     {tcp + "RX_SEG_SIZE", segment},
                                     {"RNDV_THRESH", "inf"},
                                     {"ZCOPY_THRESH", "inf"}});
  }
  // Puts that the hardware does not support are an error, where UCX can be told so (newer ones; 1.13.1 does not know it): it
  // would make messages of them, at a fifth of the bandwidth, and say nothing. Messages themselves are never emulated. 1.13.1
  // takes a setting that it does not know, and warns of it on standard output with each worker.
  if (segmentBytes == 0 && configuration.find(kEmulation) != std::string::npos)
    settings.emplace_back(kEmulation, "n");
  for (const auto& [name, value] : settings) {
    status = ucx().ucp_config_modify(raw, name.c_str(), value.c_str());
    if (status != UCS_OK) throw ucxError("setting UCX_" + name + "=" + value, status);
  }
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED | UCP_PARAM_FIELD_NAME;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_RMA;
  params.mt_workers_shared = severalWorkers ? 1 : 0;
  params.name = "railrunner";
  ucp_context_h context = nullptr;
  status = ucx().ucp_init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, raw, &context);
  // UCX 1.13.1 says so for a transport that is not here or that it does not know; it does not fail for a device that
  // is not here.
  if (status == UCS_ERR_NO_DEVICE)
    throw noNetwork("UCX finds no network device for the transports " + transports);
  if (status != UCS_OK) throw ucxError("ucp_init for the transports " + transports, status);
  try {
    if (networkResources(context).empty()) throw noNetwork("UCX finds no network device: only shared memory");
  } catch (...) {
    ucx().ucp_cleanup(context);
    throw;
  }
  hadNetwork = true;
  return context;
}

}  // namespace railrunner

#endif
