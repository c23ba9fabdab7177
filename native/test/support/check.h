#pragma once

#include <atomic>
#include <cstdio>
#include <sstream>
#include <string>

// The little that a native test program needs: each check counts, a failed one says where and what, and the
// program's exit status tells. Safe from several threads.
namespace railrunner::test {

inline std::atomic<int> failures{0};

template <class A, class B>
void checkEqual(const A& received, const B& expected, const char* what, int line) {
  if (received == expected) return;
  std::ostringstream text;
  text << "line " << line << ": " << what << ": expected " << expected << ", received " << received << "\n";
  std::fputs(text.str().c_str(), stderr);
  ++failures;
}

#define CHECK_EQUAL(received, expected) \
  ::railrunner::test::checkEqual(received, expected, #received, __LINE__)
#define CHECK(condition) \
  ::railrunner::test::checkEqual(static_cast<bool>(condition), true, #condition, __LINE__)

}  // namespace railrunner::test
