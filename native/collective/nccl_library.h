#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collective/bootstrap_record.h"

struct ncclComm;

namespace railrunner {

using NcclComm = ncclComm*;
// A cudaStream_t; this module needs no CUDA header.
using NcclStream = void*;

struct NcclUniqueId {
  char bytes[kNcclUniqueIdBytes];
};

// ncclUint8: lengths are in bytes everywhere.
constexpr int kNcclUint8 = 1;

// The calls that are used, by the signatures that every NCCL 2 has. Results are ncclResult_t.
struct NcclCalls {
  int (*getVersion)(int* version);
  int (*getUniqueId)(NcclUniqueId* id);
  int (*commInitRankConfig)(NcclComm* comm, int worldSize, NcclUniqueId id, int rank, void* config);
  int (*commGetAsyncError)(NcclComm comm, int* result);
  int (*commFinalize)(NcclComm comm);
  int (*commDestroy)(NcclComm comm);
  int (*commAbort)(NcclComm comm);
  int (*groupStart)();
  int (*groupEnd)();
  int (*broadcast)(const void* source, void* target, size_t count, int type, int root, NcclComm comm,
                   NcclStream stream);
  int (*allGather)(const void* source, void* target, size_t countOfOne, int type, NcclComm comm,
                   NcclStream stream);
  const char* (*getLastError)(NcclComm comm);
};

// NCCL, opened at run time. Never closed: communicators' threads may outlive everything else.
class NcclLibrary {
 public:
  // Tries the candidates in order: paths, or names that the loader's folders are searched for. Throws
  // kNcclMissing with every candidate and why it did not do.
  static std::shared_ptr<const NcclLibrary> open(const std::vector<std::string>& candidates);

  const NcclCalls& calls() const { return calls_; }
  int version() const { return version_; }
  // The file that was loaded.
  const std::string& path() const { return path_; }
  // What NCCL said last of that communicator, or of none (null); '' where it has nothing to say.
  std::string lastError(NcclComm comm) const;

  // Ids that this process may have made whose communicators have not come up.
  static constexpr size_t kMostPendingIds = 32;

  // A unique id for a new communicator, made by one rank. Throws kNccl, at kMostPendingIds too: NCCL keeps a thread
  // and a socket for each, and a sweep of failing points must not use up the machine's.
  BootstrapRecord makeRecord(int worldSize) const;
  // All ranks have joined the record's communicator: NCCL has ended what it kept for the id.
  static void noteJoined(const BootstrapRecord& record);

 private:
  NcclLibrary() = default;
  // '' or why not.
  std::string tryOpen(const std::string& candidate);

  NcclCalls calls_{};
  int version_ = 0;
  std::string path_;
};

}  // namespace railrunner
