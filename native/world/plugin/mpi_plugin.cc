#include "world/plugin/mpi_plugin.h"

#include <mpi.h>

#include <cstdio>
#include <cstring>
#include <vector>

#if defined(RAILRUNNER_MPI_mpich)
// MPICH 4.0 to 4.1 over UCX can hang in MPI_Finalize across hosts: node leaders sit in a PMI barrier without
// progress while the others close their endpoints and wait for an answer. Looked up first, because this
// object is opened RTLD_LOCAL with libmpich behind it, this definition makes closing an endpoint a local
// matter.
extern "C" __attribute__((visibility("default"))) void* ucp_disconnect_nb(void*) { return nullptr; }
#endif

namespace {

// Numbers in place of MPI's handle types, which differ between the two libraries. Slots are used again.
template <class Handle>
class Table {
 public:
  int add(Handle handle) {
    if (free_.empty()) {
      entries_.push_back({handle, true});
      return static_cast<int>(entries_.size()) - 1;
    }
    const int index = free_.back();
    free_.pop_back();
    entries_[static_cast<size_t>(index)] = {handle, true};
    return index;
  }
  bool has(int index) const {
    return index >= 0 && static_cast<size_t>(index) < entries_.size() &&
           entries_[static_cast<size_t>(index)].used;
  }
  Handle& at(int index) { return entries_[static_cast<size_t>(index)].handle; }
  void remove(int index) {
    entries_[static_cast<size_t>(index)].used = false;
    free_.push_back(index);
  }

 private:
  struct Entry {
    Handle handle;
    bool used;
  };
  std::vector<Entry> entries_;
  std::vector<int> free_;
};

Table<MPI_Comm> comms;
Table<MPI_Request> requests;
// Where MPI_Comm_idup writes: must stay put until the request is done.
struct PendingDup {
  int request;
  int comm;
  MPI_Comm* handle;
};
std::vector<PendingDup> pendingDups;

MPI_Comm commOf(int comm) { return comms.has(comm) ? comms.at(comm) : MPI_COMM_NULL; }

// References: the handle is read after the call that fills it, whatever the order of evaluation.
int issued(int code, const MPI_Request& handle, int* request) {
  if (code == MPI_SUCCESS) *request = requests.add(handle);
  return code;
}

int addComm(int code, const MPI_Comm& handle, int* result) {
  if (code != MPI_SUCCESS) return code;
  MPI_Comm_set_errhandler(handle, MPI_ERRORS_RETURN);
  *result = comms.add(handle);
  return MPI_SUCCESS;
}

int init() {
  int provided = 0;
  const int code = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  if (code != MPI_SUCCESS) return code;
  if (provided < MPI_THREAD_FUNNELED) return MPI_ERR_UNSUPPORTED_OPERATION;
  int world = 0;
  return addComm(MPI_SUCCESS, MPI_COMM_WORLD, &world);
}

int finalize() { return MPI_Finalize(); }

void abortAll(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

void errorText(int code, char* text, int textBytes) {
  char full[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  if (MPI_Error_string(code, full, &length) != MPI_SUCCESS) {
    std::snprintf(full, sizeof full, "MPI error %d", code);
  }
  std::snprintf(text, static_cast<size_t>(textBytes), "%s", full);
}

void libraryVersion(char* text, int textBytes) {
  char full[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(full, &length);
  full[std::strcspn(full, "\n")] = '\0';
  for (char& letter : full) {
    if (letter == '\t') letter = ' ';
  }
  std::snprintf(text, static_cast<size_t>(textBytes), "%s", full);
}

int commRank(int comm, int* rank) { return MPI_Comm_rank(commOf(comm), rank); }
int commSize(int comm, int* size) { return MPI_Comm_size(commOf(comm), size); }

int dup(int comm, int* result, int* request) {
  auto* handle = new MPI_Comm(MPI_COMM_NULL);
  MPI_Request pending = MPI_REQUEST_NULL;
  const int code = MPI_Comm_idup(commOf(comm), handle, &pending);
  if (code != MPI_SUCCESS) {
    delete handle;
    return code;
  }
  *result = comms.add(MPI_COMM_NULL);
  *request = requests.add(pending);
  pendingDups.push_back({*request, *result, handle});
  return MPI_SUCCESS;
}

int splitShared(int comm, int key, int* result) {
  MPI_Comm handle = MPI_COMM_NULL;
  const int code = MPI_Comm_split_type(commOf(comm), MPI_COMM_TYPE_SHARED, key, MPI_INFO_NULL, &handle);
  return addComm(code, handle, result);
}

int ibcast(int comm, void* data, int bytes, int root, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(MPI_Ibcast(data, bytes, MPI_BYTE, root, commOf(comm), &handle), handle, request);
}

int igather(int comm, const void* data, int bytes, void* all, int root, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(MPI_Igather(data, bytes, MPI_BYTE, all, bytes, MPI_BYTE, root, commOf(comm), &handle), handle,
                request);
}

int igatherv(int comm, const void* data, int bytes, void* all, const int* counts, const int* displacements,
             int root, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(
      MPI_Igatherv(data, bytes, MPI_BYTE, all, counts, displacements, MPI_BYTE, root, commOf(comm), &handle),
      handle, request);
}

int iallgather(int comm, const void* data, int bytes, void* all, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(MPI_Iallgather(data, bytes, MPI_BYTE, all, bytes, MPI_BYTE, commOf(comm), &handle), handle,
                request);
}

int iallgatherv(int comm, const void* data, int bytes, void* all, const int* counts, const int* displacements,
                int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(
      MPI_Iallgatherv(data, bytes, MPI_BYTE, all, counts, displacements, MPI_BYTE, commOf(comm), &handle),
      handle, request);
}

int iallreduceMax(int comm, const uint64_t* values, uint64_t* result, int count, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(MPI_Iallreduce(values, result, count, MPI_UINT64_T, MPI_MAX, commOf(comm), &handle), handle,
                request);
}

int ibarrier(int comm, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(MPI_Ibarrier(commOf(comm), &handle), handle, request);
}

int ialltoallv(int comm, const void* data, const int* sendCounts, const int* sendDisplacements, void* all,
               const int* receiveCounts, const int* receiveDisplacements, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(MPI_Ialltoallv(data, sendCounts, sendDisplacements, MPI_BYTE, all, receiveCounts,
                               receiveDisplacements, MPI_BYTE, commOf(comm), &handle),
                handle, request);
}

int isend(int comm, const void* data, int bytes, int peer, int tag, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(MPI_Issend(data, bytes, MPI_BYTE, peer, tag, commOf(comm), &handle), handle, request);
}

int irecv(int comm, void* data, int bytes, int peer, int tag, int* request) {
  MPI_Request handle = MPI_REQUEST_NULL;
  return issued(MPI_Irecv(data, bytes, MPI_BYTE, peer, tag, commOf(comm), &handle), handle, request);
}

int iprobe(int comm, int peer, int* found, int* source, int* tag, int* bytes) {
  MPI_Status status;
  const int code =
      MPI_Iprobe(peer == kMpiAnySource ? MPI_ANY_SOURCE : peer, MPI_ANY_TAG, commOf(comm), found, &status);
  if (code != MPI_SUCCESS || *found == 0) return code;
  *source = status.MPI_SOURCE;
  *tag = status.MPI_TAG;
  return MPI_Get_count(&status, MPI_BYTE, bytes);
}

// Takes over the communicator of a finished dup. A failed one is forgotten.
void finishDup(int request, bool good) {
  for (size_t i = 0; i < pendingDups.size(); ++i) {
    if (pendingDups[i].request != request) continue;
    const PendingDup dup = pendingDups[i];
    pendingDups.erase(pendingDups.begin() + static_cast<long>(i));
    if (good) {
      comms.at(dup.comm) = *dup.handle;
      MPI_Comm_set_errhandler(*dup.handle, MPI_ERRORS_RETURN);
    } else {
      comms.remove(dup.comm);
    }
    delete dup.handle;
    return;
  }
}

int test(int request, int* done) {
  if (!requests.has(request)) return MPI_ERR_REQUEST;
  *done = 0;
  const int code = MPI_Test(&requests.at(request), done, MPI_STATUS_IGNORE);
  if (code == MPI_SUCCESS && *done == 0) return code;
  requests.remove(request);
  finishDup(request, code == MPI_SUCCESS);
  return code;
}

const MpiPlugin plugin = {
    kMpiPluginAbi,  RAILRUNNER_MPI_NAME,
    init,           finalize,
    abortAll,       errorText,
    libraryVersion, commRank,
    commSize,       dup,
    splitShared,    ibcast,
    igather,        igatherv,
    iallgather,     iallgatherv,
    iallreduceMax,  ibarrier,
    ialltoallv,     isend,
    irecv,          iprobe,
    test,
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const MpiPlugin* railrunnerMpiPlugin() { return &plugin; }
