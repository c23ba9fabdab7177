#include "collective/nccl_library.h"

#include <dlfcn.h>

#include <cstring>

#include "collective/nccl_config.h"
#include "collective/nccl_results.h"

namespace railrunner {

namespace {

template <class Function>
bool take(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

// The first name that is not there, or null.
const char* takeAll(void* library, NcclCalls& calls) {
  if (!take(library, "ncclGetVersion", calls.getVersion)) return "ncclGetVersion";
  if (!take(library, "ncclGetUniqueId", calls.getUniqueId)) return "ncclGetUniqueId";
  if (!take(library, "ncclCommInitRankConfig", calls.commInitRankConfig)) return "ncclCommInitRankConfig";
  if (!take(library, "ncclCommGetAsyncError", calls.commGetAsyncError)) return "ncclCommGetAsyncError";
  if (!take(library, "ncclCommFinalize", calls.commFinalize)) return "ncclCommFinalize";
  if (!take(library, "ncclCommDestroy", calls.commDestroy)) return "ncclCommDestroy";
  if (!take(library, "ncclCommAbort", calls.commAbort)) return "ncclCommAbort";
  if (!take(library, "ncclGroupStart", calls.groupStart)) return "ncclGroupStart";
  if (!take(library, "ncclGroupEnd", calls.groupEnd)) return "ncclGroupEnd";
  if (!take(library, "ncclBroadcast", calls.broadcast)) return "ncclBroadcast";
  if (!take(library, "ncclAllGather", calls.allGather)) return "ncclAllGather";
  if (!take(library, "ncclGetLastError", calls.getLastError)) return "ncclGetLastError";
  return nullptr;
}

}  // namespace

std::shared_ptr<const NcclLibrary> NcclLibrary::open(const std::vector<std::string>& candidates) {
  std::shared_ptr<NcclLibrary> library(new NcclLibrary());
  std::string reasons;
  for (const std::string& candidate : candidates) {
    const std::string reason = library->tryOpen(candidate);
    if (reason.empty()) return library;
    reasons += "; " + candidate + ": " + reason;
  }
  throw Error(ErrorCode::kNcclMissing,
              "NCCL cannot be loaded. Looked for" + (reasons.empty() ? " nothing" : reasons.substr(1)) +
                  ". Install NCCL 2.18 or newer, or name its libnccl.so.2 by RAILRUNNER_NCCL_LIBRARY");
}

std::string NcclLibrary::tryOpen(const std::string& candidate) {
  void* handle = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return reason == nullptr ? "dlopen failed" : reason;
  }
  std::string fault;
  if (const char* missing = takeAll(handle, calls_)) {
    fault = std::string("it has no ") + missing;
  } else if (const int result = calls_.getVersion(&version_); result != kNcclSuccess) {
    fault = "ncclGetVersion: " + ncclResultName(result);
  } else if (version_ < kNcclOldestVersion) {
    fault = "it is NCCL " + ncclVersionText(version_) + ", 2.18 or newer is needed";
  }
  if (!fault.empty()) {
    dlclose(handle);
    return fault;
  }
  path_ = candidate;
  return "";
}

BootstrapRecord NcclLibrary::makeRecord(int worldSize) const {
  NcclUniqueId id{};
  const int result = calls_.getUniqueId(&id);
  if (result != kNcclSuccess) throw ncclError("ncclGetUniqueId", result, calls_.getLastError(nullptr));
  BootstrapRecord record;
  record.worldSize = worldSize;
  std::memcpy(record.id.data(), id.bytes, sizeof(id.bytes));
  return record;
}

}  // namespace railrunner
