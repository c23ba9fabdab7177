#pragma once

#include <stdint.h>

// The interface between the addon and MPI: a C table without one MPI type in it, because Open MPI and MPICH
// share no binary interface. Each plug-in is this source built against one of them; the addon opens the one
// that the launcher speaks and never links MPI itself.
//
// Every function is called from one thread, the one that called init (MPI_THREAD_FUNNELED). Functions that
// return int return 0 for success or an MPI error code, whose text errorText gives; errors never abort the
// process. None waits for another rank except init, finalize, abort and splitting.
//
// Communicators and requests are small numbers that the plug-in hands out.
extern "C" {

enum { kMpiPluginAbi = 1, kMpiWorld = 0, kMpiAnySource = -1 };

struct MpiPlugin {
  uint32_t abi;      // kMpiPluginAbi of the build
  const char* name;  // "openmpi" or "mpich"

  // Collective. MPI_Init_thread; fails where the library grants less than FUNNELED.
  int (*init)(void);
  int (*finalize)(void);
  // Ends all ranks where MPI can; status 1..255.
  void (*abort)(int status);
  // Writes the text of an error code, NUL-terminated.
  void (*errorText)(int code, char* text, int textBytes);
  // MPI_Get_library_version, first line.
  void (*libraryVersion)(char* text, int textBytes);

  int (*rank)(int comm, int* rank);
  int (*size)(int comm, int* size);
  int (*dup)(int comm, int* result, int* request);  // non-blocking; `result` is good once the request is done
  int (*splitShared)(int comm, int key, int* result);  // the ranks that share memory with this one

  // Non-blocking. Counts and displacements are bytes; buffers belong to the call until test says done.
  int (*ibcast)(int comm, void* data, int bytes, int root, int* request);
  int (*igather)(int comm, const void* data, int bytes, void* all, int root, int* request);
  int (*igatherv)(int comm, const void* data, int bytes, void* all, const int* counts,
                  const int* displacements, int root, int* request);
  int (*iallgather)(int comm, const void* data, int bytes, void* all, int* request);
  int (*iallgatherv)(int comm, const void* data, int bytes, void* all, const int* counts,
                     const int* displacements, int* request);
  int (*iallreduceMax)(int comm, const uint64_t* values, uint64_t* result, int count, int* request);
  int (*ibarrier)(int comm, int* request);
  int (*ialltoallv)(int comm, const void* data, const int* sendCounts, const int* sendDisplacements,
                    void* all, const int* receiveCounts, const int* receiveDisplacements, int* request);

  // Synchronous mode: a send is done when its receiver has taken it, so nothing is in flight once all are
  // done.
  int (*isend)(int comm, const void* data, int bytes, int peer, int tag, int* request);
  int (*irecv)(int comm, void* data, int bytes, int peer, int tag, int* request);
  // Any tag; `peer` may be kMpiAnySource.
  int (*iprobe)(int comm, int peer, int* found, int* source, int* tag, int* bytes);

  // A request that is done, or whose test failed, is gone.
  int (*test)(int request, int* done);
};

typedef const struct MpiPlugin* (*MpiPluginEntry)(void);
#define RAILRUNNER_MPI_PLUGIN_ENTRY "railrunnerMpiPlugin"
}
