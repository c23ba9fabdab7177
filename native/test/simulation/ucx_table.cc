// The functions of UCX that need little of the model, and their names: native/network looks them up in a library, and finds
// these, because the linker wraps dlopen and dlsym of the simulator.
#include "test/simulation/ucx_model.h"

#ifdef RAILRUNNER_HAVE_UCX

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace railrunner::simulation {

namespace {

Scheduler& scheduler() { return Scheduler::get(); }

char library;  // its address is the handle

ucs_status_t configRead(const char*, const char*, ucp_config_t** config) {
  *config = reinterpret_cast<ucp_config_t*>(&library);
  return UCS_OK;
}
ucs_status_t configModify(ucp_config_t*, const char*, const char*) { return UCS_OK; }
void configPrint(const ucp_config_t*, FILE* stream, const char*, ucs_config_print_flags_t) {
  std::fputs("UCX_TLS=all\n", stream);
}
void configRelease(ucp_config_t*) {}
void getVersion(unsigned* major, unsigned* minor, unsigned* release) {
  *major = 1;
  *minor = 18;
  *release = 0;
}
const char* versionString() { return "simulated"; }
const char* statusString(ucs_status_t status) {
  return status == UCS_OK ? "Success" : "the connection is gone";
}
void releaseAddress(ucp_worker_h, ucp_address_t* address) { std::free(address); }
void releaseKeyBuffer(void* key) { std::free(key); }
void destroyKey(ucp_rkey_h) {}
ucs_status_t contextQuery(ucp_context_h, ucp_context_attr_t* attributes) {
  attributes->memory_types = UCS_BIT(UCS_MEMORY_TYPE_HOST);
  return UCS_OK;
}
ucs_status_t unmap(ucp_context_h, ucp_mem_h memory) {
  *reinterpret_cast<bool*>(memory) = false;  // the first member
  return UCS_OK;
}

bool hasRdma = false;

void printContext(ucp_context_h, FILE* stream) {
  std::fprintf(stream, "#  resource 1  :  md 1  dev 1  flags -- %s\n", hasRdma ? "rc_mlx5/sim0" : "tcp/sim0");
}
void printEndpoint(ucp_ep_h, FILE* stream) {
  std::fprintf(stream, "#   lane[0]:  1:%s.0 md[1]  -> sim\n", hasRdma ? "rc_mlx5/sim0" : "tcp/sim0");
}

}  // namespace

ucs_status_t UcxModel::initCall(unsigned, unsigned, const ucp_params_t*, const ucp_config_t*,
                                ucp_context_h* context) {
  hasRdma = get().options_.hasRdma;
  *context = reinterpret_cast<ucp_context_h>(new Context());
  return UCS_OK;
}

ucs_status_t UcxModel::workerCreate(ucp_context_h context, const ucp_worker_params_t*, ucp_worker_h* worker) {
  UcxModel& model = get();
  auto& made = *model.workers_.emplace_back(std::make_unique<Worker>());
  made.rank = scheduler().rank();
  made.number = model.workers_.size() - 1;
  made.context = reinterpret_cast<Context*>(context);
  made.context->workers.insert(&made);
  *worker = reinterpret_cast<ucp_worker_h>(&made);
  return UCS_OK;
}

ucs_status_t UcxModel::getAddress(ucp_worker_h worker, ucp_address_t** address, size_t* bytes) {
  const uint64_t number = reinterpret_cast<Worker*>(worker)->number;
  *bytes = sizeof number;
  *address = static_cast<ucp_address_t*>(std::malloc(sizeof number));
  std::memcpy(*address, &number, sizeof number);
  return UCS_OK;
}

ucs_status_t UcxModel::setHandler(ucp_worker_h worker, const ucp_am_handler_param_t* handler) {
  reinterpret_cast<Worker*>(worker)->handler = *handler;
  return UCS_OK;
}

ucs_status_t UcxModel::endpointCreate(ucp_worker_h worker, const ucp_ep_params_t* params,
                                      ucp_ep_h* endpoint) {
  UcxModel& model = get();
  Worker& owner = *reinterpret_cast<Worker*>(worker);
  model.enter(owner, "a connection");
  uint64_t peer = 0;
  std::memcpy(&peer, params->address, sizeof peer);
  if (peer >= model.workers_.size()) return UCS_ERR_INVALID_ADDR;
  Endpoint& made = *owner.endpoints.emplace_back(std::make_unique<Endpoint>());
  made.owner = &owner;
  made.peer = peer;
  made.onError = params->err_handler.cb;
  made.argument = params->err_handler.arg;
  const bool isLost = model.isCut(owner.rank, model.workers_[peer]->rank) || !model.workers_[peer]->isAlive;
  if (isLost) made.failsNs = scheduler().nowNs() + model.travel();
  *endpoint = reinterpret_cast<ucp_ep_h>(&made);
  return UCS_OK;
}

ucs_status_ptr_t UcxModel::sendMessage(ucp_ep_h endpoint, unsigned, const void*, size_t, const void* data,
                                       size_t bytes, const ucp_request_param_t* param) {
  Operation message;
  message.data = static_cast<const uint8_t*>(data);
  message.bytes = bytes;
  if ((param->op_attr_mask & UCP_OP_ATTR_FIELD_DATATYPE) != 0)
    message.type = reinterpret_cast<const Datatype*>(param->datatype);
  return get().issue(*reinterpret_cast<Endpoint*>(endpoint), std::move(message), param);
}

ucs_status_ptr_t UcxModel::putCall(ucp_ep_h endpoint, const void* data, size_t bytes, uint64_t target,
                                   ucp_rkey_h key, const ucp_request_param_t* param) {
  Operation put;
  put.data = static_cast<const uint8_t*>(data);
  put.bytes = bytes;
  put.target = target;
  put.memory = reinterpret_cast<Memory*>(key);
  return get().issue(*reinterpret_cast<Endpoint*>(endpoint), std::move(put), param);
}

ucs_status_t UcxModel::createType(const ucp_generic_dt_ops_t* operations, void* context,
                                  ucp_datatype_t* type) {
  *type = reinterpret_cast<ucp_datatype_t>(new Datatype{*operations, context});
  return UCS_OK;
}

ucs_status_t UcxModel::mapCall(ucp_context_h, const ucp_mem_map_params_t* params, ucp_mem_h* memory) {
  auto& made = *get().memories_.emplace_back(std::make_unique<Memory>());
  made.base = static_cast<uint8_t*>(params->address);
  made.bytes = params->length;
  *memory = reinterpret_cast<ucp_mem_h>(&made);
  return UCS_OK;
}

ucs_status_t UcxModel::packKey(ucp_context_h, ucp_mem_h memory, void** key, size_t* bytes) {
  *bytes = sizeof memory;
  *key = std::malloc(sizeof memory);
  std::memcpy(*key, &memory, sizeof memory);
  return UCS_OK;
}

ucs_status_t UcxModel::unpackKey(ucp_ep_h, const void* key, ucp_rkey_h* result) {
  std::memcpy(result, key, sizeof *result);
  return UCS_OK;
}

void* UcxModel::symbol(const char* name) {
  struct Entry {
    std::string_view name;
    void* function;
  };
  const auto at = [](auto* function) { return reinterpret_cast<void*>(function); };
  const Entry entries[] = {
      {"ucp_config_read", at(configRead)},
      {"ucp_config_modify", at(configModify)},
      {"ucp_config_print", at(configPrint)},
      {"ucp_config_release", at(configRelease)},
      {"ucp_init_version", at(&initCall)},
      {"ucp_cleanup", at(+[](ucp_context_h context) {
         if (!reinterpret_cast<Context*>(context)->workers.empty())
           scheduler().violate("a context of UCX goes before its workers");
       })},
      {"ucp_context_print_info", at(printContext)},
      {"ucp_context_query", at(contextQuery)},
      {"ucp_get_version", at(getVersion)},
      {"ucp_get_version_string", at(versionString)},
      {"ucp_worker_create", at(&workerCreate)},
      {"ucp_worker_destroy", at(&workerDestroy)},
      {"ucp_worker_get_address", at(&getAddress)},
      {"ucp_worker_release_address", at(releaseAddress)},
      {"ucp_worker_progress", at(&progressCall)},
      {"ucp_worker_set_am_recv_handler", at(&setHandler)},
      {"ucp_worker_flush_nbx", at(&workerFlush)},
      {"ucp_ep_create", at(&endpointCreate)},
      {"ucp_ep_close_nbx", at(&endpointClose)},
      {"ucp_ep_flush_nbx", at(&endpointFlush)},
      {"ucp_ep_print_info", at(printEndpoint)},
      {"ucp_ep_rkey_unpack", at(&unpackKey)},
      {"ucp_rkey_destroy", at(destroyKey)},
      {"ucp_rkey_pack", at(&packKey)},
      {"ucp_rkey_buffer_release", at(releaseKeyBuffer)},
      {"ucp_mem_map", at(&mapCall)},
      {"ucp_mem_unmap", at(unmap)},
      {"ucp_am_send_nbx", at(&sendMessage)},
      {"ucp_put_nbx", at(&putCall)},
      {"ucp_dt_create_generic", at(&createType)},
      {"ucp_dt_destroy", at(+[](ucp_datatype_t type) { delete reinterpret_cast<Datatype*>(type); })},
      {"ucp_request_check_status", at(&checkStatus)},
      {"ucp_request_free", at(&freeRequest)},
      {"ucs_status_string", at(statusString)},
  };
  for (const Entry& entry : entries) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

}  // namespace railrunner::simulation

extern "C" {

void* __real_dlopen(const char* path, int flags);
void* __real_dlsym(void* handle, const char* name);

void* __wrap_dlopen(const char* path, int flags) {
  const bool isUcx = path != nullptr && std::strcmp(path, "libucp.so.0") == 0;
  return isUcx ? &railrunner::simulation::library : __real_dlopen(path, flags);
}

void* __wrap_dlsym(void* handle, const char* name) {
  if (handle != &railrunner::simulation::library) return __real_dlsym(handle, name);
  return railrunner::simulation::UcxModel::get().symbol(name);
}
}

#endif
