#pragma once

#include <functional>

#include "binding/napi_setup.h"

namespace railrunner::binding {

// From native threads back to Node's main thread.
//
// Lifetime rule: JS values may be touched only on the main thread, so a task that finished elsewhere posts a
// closure here and releases every JS value inside it. While tasks are in flight (begin/end) the event loop
// is kept alive; otherwise it may end.
class MainThread {
 public:
  // Throws kState in a second Node environment (a worker thread): promises could not be settled in both.
  static void initialize(Napi::Env env);

  // Main thread only: a task is in flight, or has ended.
  static void begin(Napi::Env env);
  static void end(Napi::Env env);

  // Any thread: runs `closure` on the main thread. The closure must not throw.
  static void post(std::function<void(Napi::Env)> closure);
};

// A promise that a native thread settles. Made on the main thread; settle() may be called once from any
// thread.
class PendingPromise {
 public:
  explicit PendingPromise(Napi::Env env);
  Napi::Promise promise() const { return deferred_.Promise(); }

  // `failure` null: resolves with what `result` makes (on the main thread); else rejects with it.
  void settle(std::exception_ptr failure, std::function<Napi::Value(Napi::Env)> result);

 private:
  Napi::Promise::Deferred deferred_;
};

}  // namespace railrunner::binding
