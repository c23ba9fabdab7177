#include "binding/world_binding.h"

#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "binding/arguments.h"
#include "binding/errors.h"
#include "binding/exports.h"
#include "binding/main_thread.h"
#include "binding/worker_thread.h"
#include "core/clock.h"
#include "core/threads.h"

namespace railrunner::binding {

namespace {

constexpr int64_t kMaxMessageBytes = INT32_MAX / 2;
// What MPI_Abort gets before the process ends without it.
constexpr auto kAbortGrace = std::chrono::seconds(2);

const napi_type_tag kWorldTag = {0x7261696c72756e6eULL, 0x6572576f726c6401ULL};

// Settles a promise once: by the control thread, or by a watchdog where that thread is inside an MPI call
// that has no non-blocking form (init, finalize).
class GuardedPromise {
 public:
  using Result = std::function<Napi::Value(Napi::Env)>;

  GuardedPromise(Napi::Env env, int64_t deadlineNs, const char* what)
      : state_(std::make_shared<State>(env)), promise_(state_->pending.promise()) {
    const auto watch = [state = state_, deadlineNs, what] {
      std::unique_lock lock(state->mutex);
      // Grace: the control thread's own deadline knows more about the reason.
      const auto rest = std::chrono::nanoseconds(deadlineNs - nowNs()) + std::chrono::milliseconds(500);
      if (state->wake.wait_for(lock, rest, [&] { return state->isSettled; })) return;
      lock.unlock();
      settle(state, std::make_exception_ptr(Error(ErrorCode::kTimeout, what)), {});
    };
    try {
      startDetached("the thread that watches MPI", watch);
    } catch (...) {
      settle(state_, std::current_exception(), {});
    }
  }

  Napi::Promise promise() const { return promise_; }
  std::function<void(std::exception_ptr, Result)> settler() const {
    return [state = state_](std::exception_ptr failure, Result result) {
      settle(state, failure, std::move(result));
    };
  }

 private:
  struct State {
    explicit State(Napi::Env env) : pending(env) {}
    PendingPromise pending;
    std::mutex mutex;
    std::condition_variable wake;
    bool isSettled = false;
  };

  static void settle(const std::shared_ptr<State>& state, std::exception_ptr failure, Result result) {
    {
      std::lock_guard lock(state->mutex);
      if (std::exchange(state->isSettled, true)) return;
    }
    state->wake.notify_all();
    state->pending.settle(failure, std::move(result));
  }

  std::shared_ptr<State> state_;
  Napi::Promise promise_;
};

Bytes requireBytes(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray()) throw argumentError(name, "a Uint8Array");
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array) throw argumentError(name, "a Uint8Array");
  if (array.ByteLength() > static_cast<size_t>(kMaxMessageBytes))
    throw argumentError(name, "at most 1 GiB of bytes");
  const auto* first = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return {first, first + array.ByteLength()};
}

Napi::Value toBuffer(Napi::Env env, const Bytes& bytes) {
  return Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size());
}

Napi::Value toBuffers(Napi::Env env, const std::vector<Bytes>& all) {
  Napi::Array array = Napi::Array::New(env, all.size());
  for (size_t i = 0; i < all.size(); ++i) array.Set(static_cast<uint32_t>(i), toBuffer(env, all[i]));
  return array;
}

Napi::Object infoObject(Napi::Env env, const WorldInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("rank", info.rank);
  object.Set("worldSize", info.worldSize);
  object.Set("node", info.node);
  object.Set("numNodes", info.numNodes);
  object.Set("localRank", info.localRank);
  object.Set("localSize", info.localSize);
  object.Set("host", info.host);
  object.Set("hostRank", info.hostRank);
  object.Set("hostSize", info.hostSize);
  Napi::Array nodes = Napi::Array::New(env, info.nodeOfRank.size());
  for (size_t i = 0; i < info.nodeOfRank.size(); ++i) nodes.Set(static_cast<uint32_t>(i), info.nodeOfRank[i]);
  object.Set("nodeOfRank", nodes);
  object.Set("hostname", info.hostname);
  object.Set("mpiName", info.mpiName);
  object.Set("mpiVersion", info.mpiVersion);
  return object;
}

std::shared_ptr<OpenedWorld> self(const Napi::CallbackInfo& info) {
  return requireWorld(info.This(), "this");
}

// A completion that resolves with what `convert` makes of the result.
template <class Convert>
Completion settling(const std::shared_ptr<PendingPromise>& pending, Convert convert) {
  return [pending, convert](std::exception_ptr failure, std::vector<Bytes> result) {
    pending->settle(failure,
                    [convert, result = std::move(result)](Napi::Env env) { return convert(env, result); });
  };
}

int requireRank(const Napi::Value& value, const World& world) {
  return static_cast<int>(requireInteger(value, "root", 0, world.info().worldSize - 1));
}

Napi::Value broadcast(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto opened = self(info);
    World& world = *opened->world;
    const int root = requireRank(info[1], world);
    const int64_t deadlineNs = requireDeadline(info[2]);
    const bool isRoot = root == world.info().rank;
    if (!isRoot && !info[0].IsNull()) throw argumentError("data", "null on all ranks but the root");
    Bytes data = isRoot ? requireBytes(info[0], "data") : Bytes{};
    auto pending = std::make_shared<PendingPromise>(info.Env());
    const Napi::Promise promise = pending->promise();
    world.startBroadcast(
        std::move(data), root, deadlineNs,
        settling(pending, [](Napi::Env env, const auto& all) { return toBuffer(env, all[0]); }));
    return promise;
  });
}

Napi::Value allgather(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto opened = self(info);
    Bytes data = requireBytes(info[0], "data");
    const int64_t deadlineNs = requireDeadline(info[1]);
    auto pending = std::make_shared<PendingPromise>(info.Env());
    const Napi::Promise promise = pending->promise();
    opened->world->startAllgather(std::move(data), deadlineNs, settling(pending, toBuffers));
    return promise;
  });
}

Napi::Value gather(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto opened = self(info);
    World& world = *opened->world;
    Bytes data = requireBytes(info[0], "data");
    const int root = requireRank(info[1], world);
    const int64_t deadlineNs = requireDeadline(info[2]);
    const bool isRoot = root == world.info().rank;
    auto pending = std::make_shared<PendingPromise>(info.Env());
    const Napi::Promise promise = pending->promise();
    world.startGather(std::move(data), root, deadlineNs,
                      settling(pending, [isRoot](Napi::Env env, const auto& all) -> Napi::Value {
                        return isRoot ? toBuffers(env, all) : env.Null();
                      }));
    return promise;
  });
}

Napi::Value alltoall(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto opened = self(info);
    World& world = *opened->world;
    if (!info[0].IsArray()) throw argumentError("data", "an array with one Uint8Array a rank");
    const auto array = info[0].As<Napi::Array>();
    if (array.Length() != static_cast<uint32_t>(world.info().worldSize)) {
      throw argumentError("data", "an array with one Uint8Array a rank");
    }
    std::vector<Bytes> data;
    for (uint32_t i = 0; i < array.Length(); ++i) data.push_back(requireBytes(array.Get(i), "data"));
    const int64_t deadlineNs = requireDeadline(info[1]);
    auto pending = std::make_shared<PendingPromise>(info.Env());
    const Napi::Promise promise = pending->promise();
    world.startAlltoall(std::move(data), deadlineNs, settling(pending, toBuffers));
    return promise;
  });
}

Napi::Value barrier(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto opened = self(info);
    const int64_t deadlineNs = requireDeadline(info[0]);
    auto pending = std::make_shared<PendingPromise>(info.Env());
    const Napi::Promise promise = pending->promise();
    opened->world->startBarrier(deadlineNs, settling(pending, [](Napi::Env env, const auto&) -> Napi::Value {
                                  return env.Undefined();
                                }));
    return promise;
  });
}

Napi::Value renew(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto opened = self(info);
    const int64_t deadlineNs = requireDeadline(info[0]);
    auto pending = std::make_shared<PendingPromise>(info.Env());
    const Napi::Promise promise = pending->promise();
    opened->world->startRenew(deadlineNs, [pending](std::exception_ptr failure) {
      pending->settle(failure, [](Napi::Env env) { return env.Undefined(); });
    });
    return promise;
  });
}

Napi::Value report(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto opened = self(info);
    if (!info[0].IsString()) throw argumentError("stage", "a string");
    const int64_t point = requireInteger(info[1], "point", -1, int64_t{1} << 53);
    opened->world->report(info[0].As<Napi::String>().Utf8Value(), point);
    return info.Env().Undefined();
  });
}

Napi::Value liveness(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const std::vector<RankLiveness> all = self(info)->world->liveness();
    Napi::Array array = Napi::Array::New(info.Env(), all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("rank", all[i].rank);
      entry.Set("stage", all[i].stage);
      entry.Set("point", static_cast<double>(all[i].point));
      entry.Set("iteration", static_cast<double>(all[i].iteration));
      entry.Set("awaitedPeer", all[i].awaitedPeer);
      entry.Set("ageMs", all[i].ageMs);
      array.Set(static_cast<uint32_t>(i), entry);
    }
    return array;
  });
}

Napi::Value deadRank(const Napi::CallbackInfo& info) {
  return guarded(
      info, [&]() -> Napi::Value { return Napi::Number::New(info.Env(), self(info)->world->deadRank()); });
}

Napi::Value noteDead(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    World& world = *self(info)->world;
    world.noteDead(static_cast<int>(requireInteger(info[0], "rank", 0, world.info().worldSize - 1)));
    return info.Env().Undefined();
  });
}

Napi::Value setStop(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto reason = static_cast<uint32_t>(requireInteger(info[0], "reason", 0, 2));
    self(info)->world->control().stop.store(reason, std::memory_order_relaxed);
    return info.Env().Undefined();
  });
}

Napi::Value setAbort(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    if (!info[0].IsBoolean()) throw argumentError("abort", "a boolean");
    RunControl& control = self(info)->world->control();
    const bool abort = info[0].As<Napi::Boolean>().Value();
    if (!abort) {
      control.iteration.store(-1, std::memory_order_relaxed);
      control.awaitedPeer.store(-1, std::memory_order_relaxed);
    }
    control.abort.store(abort ? 1 : 0, std::memory_order_relaxed);
    return info.Env().Undefined();
  });
}

// On the worker thread, which owns the gate: by then no native work runs.
Napi::Value failEpoch(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    return runOnWorker(info.Env(), [opened = self(info)] { opened->gate->gate().fail(); });
  });
}

Napi::Value finalize(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const auto opened = self(info);
    const int64_t deadlineNs = requireDeadline(info[0]);
    GuardedPromise guardedPromise(info.Env(), deadlineNs, "MPI_Finalize did not return before its deadline");
    opened->world->startFinalize(deadlineNs, [settle = guardedPromise.settler()](std::exception_ptr failure) {
      settle(failure, [](Napi::Env env) { return env.Undefined(); });
    });
    return guardedPromise.promise();
  });
}

Napi::Value abortWorld(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const int status = static_cast<int>(requireInteger(info[0], "status", 1, 255));
    self(info)->world->abort(status);
    try {
      startDetached("the thread that ends the process", [status] {
        std::this_thread::sleep_for(kAbortGrace);
        _exit(status);
      });
    } catch (const Error&) {
      _exit(status);
    }
    return info.Env().Undefined();
  });
}

Napi::Value makeWorldObject(Napi::Env env, std::shared_ptr<World> world) {
  auto* holder = new std::shared_ptr<OpenedWorld>(std::make_shared<OpenedWorld>());
  (*holder)->world = world;
  (*holder)->gate = std::make_unique<WorldGate>(std::move(world));
  Napi::Object object = Napi::Object::New(env);
  object.Set("info", infoObject(env, (*holder)->world->info()));
  const std::pair<const char*, Napi::Value (*)(const Napi::CallbackInfo&)> methods[] = {
      {"broadcast", broadcast}, {"allgather", allgather}, {"gather", gather},       {"alltoall", alltoall},
      {"barrier", barrier},     {"renew", renew},         {"failEpoch", failEpoch}, {"report", report},
      {"liveness", liveness},   {"deadRank", deadRank},   {"setStop", setStop},     {"setAbort", setAbort},
      {"finalize", finalize},   {"abort", abortWorld},    {"noteDead", noteDead},
  };
  for (const auto& [name, method] : methods) object.Set(name, Napi::Function::New(env, method, name));
  napi_type_tag_object(env, object, &kWorldTag);
  napi_wrap(
      env, object, holder,
      [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<OpenedWorld>*>(data); }, nullptr,
      nullptr);
  return object;
}

// One per process: MPI cannot be initialised twice.
bool isOpened = false;

Napi::Value openWorld(const Napi::CallbackInfo& info) {
  return guarded(info, [&]() -> Napi::Value {
    const Napi::Object options = requireObject(info[0], "options");
    WorldOptions request;
    request.pluginPath = requireString(options, "pluginPath");
    request.ranksPerNode = static_cast<int>(requireInteger(options, "ranksPerNode", 0, 1 << 20));
    request.timeoutNs = requireInteger(options, "timeoutMs", 1, kMaxTimeoutMs) * 1'000'000;
    request.peerTimeoutNs = requireInteger(options, "peerTimeoutMs", 500, kMaxTimeoutMs) * 1'000'000;
    request.remotePeerTimeoutNs =
        requireInteger(options, "remotePeerTimeoutMs", 500, kMaxTimeoutMs) * 1'000'000;
    if (std::exchange(isOpened, true))
      throw Error(ErrorCode::kState, "the world is already open in this process");
    GuardedPromise guardedPromise(info.Env(), nowNs() + request.timeoutNs,
                                  "MPI_Init did not return before its deadline; are all ranks started?");
    const auto settle = guardedPromise.settler();
    try {
      World::open(std::move(request), processControl(),
                  [settle](std::exception_ptr failure, std::shared_ptr<World> world) {
                    settle(failure,
                           [world = std::move(world)](Napi::Env env) { return makeWorldObject(env, world); });
                  });
    } catch (const Error&) {
      settle(std::current_exception(), {});
    }
    return guardedPromise.promise();
  });
}

}  // namespace

std::shared_ptr<OpenedWorld> requireWorld(const Napi::Value& value, const char* name) {
  bool isWorld = false;
  void* data = nullptr;
  if (value.IsObject()) napi_check_object_type_tag(value.Env(), value, &kWorldTag, &isWorld);
  if (!isWorld || napi_unwrap(value.Env(), value, &data) != napi_ok)
    throw argumentError(name, "a NativeWorld");
  return *static_cast<std::shared_ptr<OpenedWorld>*>(data);
}

void exportWorld(Napi::Env env, Napi::Object exports) {
  exports.Set("openWorld", Napi::Function::New(env, openWorld, "openWorld"));
}

}  // namespace railrunner::binding
