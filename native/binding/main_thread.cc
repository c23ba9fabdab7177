#include "binding/main_thread.h"

#include <memory>
#include <utility>

#include "binding/errors.h"

namespace railrunner::binding {

namespace {

using Closure = std::function<void(Napi::Env)>;

void callClosure(Napi::Env env, Napi::Function, std::nullptr_t*, Closure* closure) {
  std::unique_ptr<Closure> owned(closure);
  if (env != nullptr) (*owned)(env);
}

using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Closure, callClosure>;

// One a process; never destroyed: native threads may outlive Node's environment while the process exits.
Channel* channel = nullptr;
int underWay = 0;

}  // namespace

void MainThread::initialize(Napi::Env env) {
  if (channel != nullptr) return;
  channel = new Channel(Channel::New(env, "railrunner main thread", 0, 1));
  channel->Unref(env);
}

void MainThread::begin(Napi::Env env) {
  if (underWay++ == 0) channel->Ref(env);
}

void MainThread::end(Napi::Env env) {
  if (--underWay == 0) channel->Unref(env);
}

void MainThread::post(Closure closure) {
  auto owned = std::make_unique<Closure>(std::move(closure));
  if (channel->BlockingCall(owned.get()) == napi_ok) owned.release();
}

PendingPromise::PendingPromise(Napi::Env env) : deferred_(Napi::Promise::Deferred::New(env)) {
  MainThread::begin(env);
}

void PendingPromise::settle(std::exception_ptr failure, std::function<Napi::Value(Napi::Env)> result) {
  MainThread::post([deferred = deferred_, failure, result = std::move(result)](Napi::Env env) {
    Napi::HandleScope scope(env);
    if (failure) {
      deferred.Reject(toJsError(env, failure).Value());
    } else {
      try {
        deferred.Resolve(result(env));
      } catch (...) {
        deferred.Reject(toJsError(env, std::current_exception()).Value());
      }
    }
    MainThread::end(env);
  });
}

}  // namespace railrunner::binding
