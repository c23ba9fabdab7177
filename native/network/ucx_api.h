#pragma once

#ifdef RAILRUNNER_HAVE_UCX

#include <ucp/api/ucp.h>

#include <string>
#include <vector>

#include "core/error.h"

namespace railrunner {

// The functions of libucp that the network uses, found at run time: a machine without UCX runs everything
// else.
struct UcxApi {
#define RAILRUNNER_UCX_FUNCTIONS(X) \
  X(ucp_config_read)                \
  X(ucp_config_modify)              \
  X(ucp_config_print)               \
  X(ucp_config_release)             \
  X(ucp_init_version)               \
  X(ucp_cleanup)                    \
  X(ucp_context_print_info)         \
  X(ucp_context_query)              \
  X(ucp_get_version)                \
  X(ucp_get_version_string)         \
  X(ucp_worker_create)              \
  X(ucp_worker_destroy)             \
  X(ucp_worker_get_address)         \
  X(ucp_worker_release_address)     \
  X(ucp_worker_progress)            \
  X(ucp_worker_set_am_recv_handler) \
  X(ucp_worker_flush_nbx)           \
  X(ucp_ep_create)                  \
  X(ucp_ep_close_nbx)               \
  X(ucp_ep_flush_nbx)               \
  X(ucp_ep_print_info)              \
  X(ucp_ep_rkey_unpack)             \
  X(ucp_rkey_destroy)               \
  X(ucp_rkey_pack)                  \
  X(ucp_rkey_buffer_release)        \
  X(ucp_mem_map)                    \
  X(ucp_mem_unmap)                  \
  X(ucp_am_send_nbx)                \
  X(ucp_put_nbx)                    \
  X(ucp_dt_create_generic)          \
  X(ucp_dt_destroy)                 \
  X(ucp_request_check_status)       \
  X(ucp_request_free)               \
  X(ucs_status_string)
#define RAILRUNNER_UCX_POINTER(name) decltype(&::name) name = nullptr;
  RAILRUNNER_UCX_FUNCTIONS(RAILRUNNER_UCX_POINTER)
#undef RAILRUNNER_UCX_POINTER
};

// Opens libucp.so.0 on the first call (RTLD_LOCAL). Throws kNetworkMissing with the name that was looked for.
const UcxApi& ucx();

// "ucp_worker_create: Input/output error" as an Error of kNetwork, with the variables of UCX that are set.
Error ucxError(const std::string& where, ucs_status_t status);

// A context for TCP or RDMA, set up from UCX's own configuration (its environment and files) with what this
// module needs on top. transports: as in NetworkOptions. Throws kNetworkMissing where UCX has no network for these transports. segmentBytes: the largest message, which then travels in one piece over TCP; 0 leaves
// UCX's choices.
ucp_context_h createUcxContext(const std::string& transports, uint64_t segmentBytes, bool severalWorkers);

// What a context may use, as UCX names it, without the transports inside a process: "tcp/eth0", "rc_mlx5/mlx5_0:1".
std::vector<std::string> networkResources(ucp_context_h context);

}  // namespace railrunner

#endif
