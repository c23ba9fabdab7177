#include "binding/main_thread.h"

#include <memory>
#include <mutex>
#include <utility>

#include "binding/errors.h"
#include "core/error.h"

namespace railrunner::binding {

namespace {

using Closure = std::function<void(Napi::Env)>;

void callClosure(Napi::Env env, Napi::Function, std::nullptr_t*, Closure* closure) {
  std::unique_ptr<Closure> owned(closure);
  if (env != nullptr) (*owned)(env);
}

using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Closure, callClosure>;

// One per process; never destroyed: native threads may outlive Node's environment while the process exits.
Channel* channel = nullptr;
uv_loop_s* loop = nullptr;  // of the environment that it belongs to
std::mutex loading;         // worker threads may load the addon at the same time
int inFlight = 0;

}  // namespace

void MainThread::initialize(Napi::Env env) {
  uv_loop_s* own = nullptr;
  if (napi_get_uv_event_loop(env, &own) != napi_ok)
    throw Napi::Error::New(env, "the event loop is not known");
  std::lock_guard lock(loading);
  if (channel != nullptr) {
    if (own == loop) return;  // loaded again by the same environment
    throw Error(ErrorCode::kState,
                "the railrunner addon is loaded in another thread of this process already (a worker, or the "
                "main thread); "
                "MPI and the native threads exist once per process. Load it in one thread only.");
  }
  loop = own;
  channel = new Channel(Channel::New(env, "railrunner main thread", 0, 1));
  channel->Unref(env);
}

void MainThread::begin(Napi::Env env) {
  if (inFlight++ == 0) channel->Ref(env);
}

void MainThread::end(Napi::Env env) {
  if (--inFlight == 0) channel->Unref(env);
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
