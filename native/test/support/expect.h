#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

// A check of a native test: names itself and ends the process (a rank, or the test) when it does not hold.
#define EXPECT(condition, ...)                                                      \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: expected %s: ", __FILE__, __LINE__, #condition); \
      std::fprintf(stderr, __VA_ARGS__);                                            \
      std::fprintf(stderr, "\n");                                                   \
      std::fflush(stderr);                                                          \
      _exit(1);                                                                     \
    }                                                                               \
  } while (false)
