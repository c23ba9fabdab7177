#include "collective/nccl_library.h"

#include <dlfcn.h>

#include <cstring>
#include <mutex>
#include <set>

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

// The file that a function was loaded from: a candidate may be a name that the loader looked for.
std::string fileOf(void* function, const std::string& candidate) {
  Dl_info info{};
  return dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : candidate;
}

// Ids whose communicator has not come up, of this process. Each that was never joined by all of its ranks keeps a
// thread and a listening socket of NCCL's for good (2.28.9); there is no call to end them.
std::mutex idsMutex;
std::set<NcclUniqueIdBytes> pendingIds;

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
  } else {
    fault = ncclVersionFault(version_);
  }
  if (!fault.empty()) {
    dlclose(handle);
    return fault;
  }
  path_ = fileOf(reinterpret_cast<void*>(calls_.getVersion), candidate);
  return "";
}

std::string NcclLibrary::lastError(NcclComm comm) const {
  const char* said = calls_.getLastError(comm);
  return said == nullptr ? "" : said;
}

BootstrapRecord NcclLibrary::makeRecord(int worldSize) const {
  const std::lock_guard lock(idsMutex);
  if (pendingIds.size() >= kMostPendingIds) {
    throw Error(
        ErrorCode::kNccl,
        "ncclGetUniqueId: " + std::to_string(pendingIds.size()) +
            " communicators of this run have not come up, and each keeps a thread and a socket of NCCL's for "
            "good; expected fewer than " +
            std::to_string(kMostPendingIds) +
            ". No further one is begun: look at the first that failed, then start the run again.");
  }
  NcclUniqueId id{};
  const int result = calls_.getUniqueId(&id);
  if (result != kNcclSuccess) throw ncclError("ncclGetUniqueId", result, lastError(nullptr));
  BootstrapRecord record;
  record.worldSize = worldSize;
  std::memcpy(record.id.data(), id.bytes, sizeof(id.bytes));
  pendingIds.insert(record.id);
  return record;
}

void NcclLibrary::noteJoined(const BootstrapRecord& record) {
  const std::lock_guard lock(idsMutex);
  pendingIds.erase(record.id);
}

}  // namespace railrunner
