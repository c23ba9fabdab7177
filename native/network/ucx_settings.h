#pragma once

#include <string>

namespace railrunner {

// The transports that the network asks UCX for, given what UCX_TLS is set to ("" and "all": the choice is UCX's): those
// without the ones that need shared memory, because this network is for ranks that share none, and emulated nodes of
// one host must not find any. cuda_ipc is one of them. Throws kNetworkMissing where none is left.
std::string networkTransports(const std::string& ucxTls);

// For errors: which variables of UCX are set, "UCX_TLS=rc, UCX_NET_DEVICES=mlx5_0:1"; "" where none is. Once per process,
// before anything else of the network; any thread reads it.
void setUcxVariables(const std::string& named);
std::string ucxVariables();

}  // namespace railrunner
