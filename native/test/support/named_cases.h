#pragma once

#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.h"

// A test program is a list of named cases; it prints TAP and ends 1 when any fails.
namespace railrunner::test {

struct Case {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> list;
  return list;
}

struct Register {
  Register(const char* name, std::function<void()> body) { cases().push_back({name, std::move(body)}); }
};

struct Failure : std::exception {
  explicit Failure(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }
  std::string text_;
};

template <class T>
std::string words(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long>(value));
  } else {
    return std::string(value);
  }
}

template <class A, class B>
void expectEqual(const A& found, const B& expected, const std::string& what) {
  if (!(found == expected)) throw Failure(what + ": expected " + words(expected) + ", found " + words(found));
}

inline void ok(bool condition, const std::string& what) {
  if (!condition) throw Failure(what);
}

// Runs body and expects an Error of that code whose message holds `part`.
inline void throws(ErrorCode code, const std::string& part, const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    expectEqual(std::string(errorCodeName(error.code())), std::string(errorCodeName(code)), error.what());
    ok(std::string(error.what()).find(part) != std::string::npos,
       std::string("message `") + error.what() + "` lacks `" + part + "`");
    return;
  }
  throw Failure("expected an error with `" + part + "`, nothing was thrown");
}

inline int runAll() {
  int failed = 0;
  int number = 0;
  std::printf("TAP version 14\n1..%zu\n", cases().size());
  for (const Case& test : cases()) {
    ++number;
    try {
      test.body();
      std::printf("ok %d - %s\n", number, test.name.c_str());
    } catch (const std::exception& error) {
      ++failed;
      std::printf("not ok %d - %s\n  # %s\n", number, test.name.c_str(), error.what());
    }
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace railrunner::test

#define TEST_JOIN(a, b) a##b
#define TEST_NAME(a, b) TEST_JOIN(a, b)
#define TEST(name)                                                                                        \
  static void TEST_NAME(testBody, __LINE__)();                                                            \
  static const railrunner::test::Register TEST_NAME(registered, __LINE__)(name,                           \
                                                                          TEST_NAME(testBody, __LINE__)); \
  static void TEST_NAME(testBody, __LINE__)()
