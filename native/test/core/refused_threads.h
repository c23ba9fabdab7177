#pragma once

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstring>

// The system's answer under pids.max or RLIMIT_NPROC, on demand: this program's own pthread_create comes before libc's,
// for libstdc++ too. In one source file of a program. Threads of C libraries are not refused: UCX 1.13 asserts that its
// event thread could be made, and ends the process.
namespace railrunner::test {

// Threads of C++ that may still be started; below 0 all may.
inline std::atomic<int> threadsLeft{-1};

inline bool isOfCpp(const void* caller) {
  Dl_info library{};
  return dladdr(caller, &library) != 0 && std::strstr(library.dli_fname, "libstdc++") != nullptr;
}

}  // namespace railrunner::test

extern "C" __attribute__((visibility("default"))) int pthread_create(pthread_t* thread,
                                                                     const pthread_attr_t* attributes,
                                                                     void* (*body)(void*),
                                                                     void* argument) noexcept {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (railrunner::test::isOfCpp(__builtin_return_address(0))) {
    if (railrunner::test::threadsLeft.load() == 0) return EAGAIN;
    if (railrunner::test::threadsLeft.load() > 0) railrunner::test::threadsLeft.fetch_sub(1);
  }
  return real(thread, attributes, body, argument);
}
