#include "binding/world_binding.h"

#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "binding/main_thread.h"
#include "binding/methods.h"
#include "core/clock.h"
#include "core/threads.h"

namespace railrunner::binding {

namespace {

constexpr size_t kMaxMessageBytes = INT32_MAX / 2;
// What MPI_Abort gets before the process ends without it.
constexpr auto kAbortGrace = std::chrono::seconds(2);

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

void expectMessage(const Call& call, const Bytes& bytes) {
  call.expect(bytes.size() <= kMaxMessageBytes, "data", "at most 1 GiB of bytes");
}

// Ranks of a world are checked where there is one: not in a description.
bool isRank(const Call& call, const OpenedWorld* opened, int rank) {
  return call.isDescription() || rank < opened->world->info().worldSize;
}

int readRoot(Call& call, const OpenedWorld* opened) {
  const auto root = static_cast<int>(call.integer("root", 0, INT32_MAX));
  call.expect(isRank(call, opened, root), "root", "a rank");
  return root;
}

bool isOwnRank(const Call& call, const OpenedWorld* opened, int rank) {
  return !call.isDescription() && rank == opened->world->info().rank;
}

void writeFirst(Result& result, const std::vector<Bytes>& all) {
  result.putBuffer(all.empty() ? Bytes{} : all[0]);
}

void writeAll(Result& result, const std::vector<Bytes>& all) {
  result.putArray(all, [](Result& element, const Bytes& bytes) { element.putBuffer(bytes); });
}

// Ends `call` with an exchange of the world: `start(done)` begins it and hands over its outcome when it is known.
template <class Write, class Start>
void exchanges(Call& call, Write write, Start start) {
  call.promises<std::vector<Bytes>>(write, [&](const auto& toJs) {
    auto pending = std::make_shared<PendingPromise>(call.env());
    const Napi::Promise promise = pending->promise();
    start([pending, toJs](std::exception_ptr failure, std::vector<Bytes> all) {
      pending->settle(failure, [toJs, all = std::move(all)](Napi::Env env) { return toJs(env, all); });
    });
    return promise;
  });
}

void broadcast(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  auto data = call.typedOrNull<uint8_t>("data");
  const int root = readRoot(call, opened.get());
  const int64_t deadlineNs = call.deadlineNs();
  call.expect(isOwnRank(call, opened.get(), root) == data.has_value(), "data",
              "a Uint8Array on the root, null on all other ranks");
  Bytes bytes = data ? std::move(*data) : Bytes{};
  expectMessage(call, bytes);
  exchanges(call, writeFirst, [&](Completion done) {
    opened->world->startBroadcast(std::move(bytes), root, deadlineNs, std::move(done));
  });
}

void allgather(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  Bytes data = call.typed<uint8_t>("data");
  expectMessage(call, data);
  const int64_t deadlineNs = call.deadlineNs();
  exchanges(call, writeAll, [&](Completion done) {
    opened->world->startAllgather(std::move(data), deadlineNs, std::move(done));
  });
}

void gather(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  Bytes data = call.typed<uint8_t>("data");
  expectMessage(call, data);
  const int root = readRoot(call, opened.get());
  const int64_t deadlineNs = call.deadlineNs();
  const bool isRoot = isOwnRank(call, opened.get(), root);
  const auto write = [isRoot](Result& result, const std::vector<Bytes>& all) {
    result.putOrNull(isRoot ? std::optional(all) : std::nullopt, writeAll);
  };
  exchanges(call, write, [&](Completion done) {
    opened->world->startGather(std::move(data), root, deadlineNs, std::move(done));
  });
}

void alltoall(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  std::vector<Bytes> data = call.byteArrays("data");
  for (const Bytes& bytes : data) expectMessage(call, bytes);
  call.expect(call.isDescription() || data.size() == static_cast<size_t>(opened->world->info().worldSize),
              "data", "an array with one Uint8Array per rank");
  const int64_t deadlineNs = call.deadlineNs();
  exchanges(call, writeAll, [&](Completion done) {
    opened->world->startAlltoall(std::move(data), deadlineNs, std::move(done));
  });
}

// A promise of nothing: `start(pending)` settles it later.
template <class Start>
void resolvesLater(Call& call, Start start) {
  call.promises([&](Napi::Env env) {
    auto pending = std::make_shared<PendingPromise>(env);
    const Napi::Promise promise = pending->promise();
    start([pending](std::exception_ptr failure) {
      pending->settle(failure, [](Napi::Env later) { return later.Undefined(); });
    });
    return promise;
  });
}

void barrier(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  const int64_t deadlineNs = call.deadlineNs();
  resolvesLater(call, [&](auto settle) {
    opened->world->startBarrier(deadlineNs,
                                [settle](std::exception_ptr failure, const auto&) { settle(failure); });
  });
}

void renew(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  const int64_t deadlineNs = call.deadlineNs();
  resolvesLater(call, [&](auto settle) { opened->world->startRenew(deadlineNs, settle); });
}

void report(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  const std::string stage = call.text("stage");
  const int64_t point = call.integer("point", -1, kMaxInteger);
  call.returns([&] { opened->world->report(stage, point); });
}

void writeLiveness(Result& result, const RankLiveness& rank) {
  result.set("rank", rank.rank);
  result.set("stage", rank.stage);
  result.set("point", rank.point);
  result.set("iteration", rank.iteration);
  result.set("awaitedPeer", rank.awaitedPeer);
  result.set("ageMs", rank.ageMs);
}

void liveness(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  call.returns(
      [&] { return opened->world->liveness(); },
      [](Result& result, const std::vector<RankLiveness>& all) { result.putArray(all, writeLiveness); });
}

void deadRank(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  call.returns([&] { return opened->world->deadRank(); });
}

void noteDead(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  const auto rank = static_cast<int>(call.integer("rank", 0, INT32_MAX));
  call.expect(isRank(call, opened.get(), rank), "rank", "a rank");
  call.returns([&] { opened->world->noteDead(rank); });
}

void setStop(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  const auto reason = static_cast<uint32_t>(call.integer("reason", 0, 2));
  call.returns([&] { opened->world->control().stop.store(reason, std::memory_order_relaxed); });
}

void setAbort(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  const bool abort = call.boolean("abort");
  call.returns([&] {
    RunControl& control = opened->world->control();
    if (!abort) {
      control.iteration.store(-1, std::memory_order_relaxed);
      control.awaitedPeer.store(-1, std::memory_order_relaxed);
    }
    control.abort.store(abort ? 1 : 0, std::memory_order_relaxed);
  });
}

// On the worker thread, which owns the gate: by then no native work runs.
void failEpoch(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  call.resolves([opened] { opened->gate->gate().fail(); });
}

void finalize(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  const int64_t deadlineNs = call.deadlineNs();
  call.promises([&](Napi::Env env) {
    GuardedPromise guarded(env, deadlineNs, "MPI_Finalize did not return before its deadline");
    opened->world->startFinalize(deadlineNs, [settle = guarded.settler()](std::exception_ptr failure) {
      settle(failure, [](Napi::Env later) { return later.Undefined(); });
    });
    return guarded.promise();
  });
}

void endLater(int status) {
  try {
    startDetached("the thread that ends the process", [status] {
      std::this_thread::sleep_for(kAbortGrace);
      _exit(status);
    });
  } catch (const Error&) {
    _exit(status);
  }
}

void abortWorld(Call& call) {
  const auto opened = call.self<OpenedWorld>();
  const auto status = static_cast<int>(call.integer("status", 1, 255));
  call.returns([&] {
    opened->world->abort(status);
    endLater(status);
  });
}

constexpr Method kMethods[] = {
    {"broadcast", broadcast}, {"allgather", allgather}, {"gather", gather},       {"alltoall", alltoall},
    {"barrier", barrier},     {"renew", renew},         {"failEpoch", failEpoch}, {"report", report},
    {"liveness", liveness},   {"deadRank", deadRank},   {"noteDead", noteDead},   {"setStop", setStop},
    {"setAbort", setAbort},   {"finalize", finalize},   {"abort", abortWorld},
};

void writeInfo(Result& result, const WorldInfo& info) {
  result.set("rank", info.rank);
  result.set("worldSize", info.worldSize);
  result.set("node", info.node);
  result.set("numNodes", info.numNodes);
  result.set("localRank", info.localRank);
  result.set("localSize", info.localSize);
  result.set("host", info.host);
  result.set("hostRank", info.hostRank);
  result.set("hostSize", info.hostSize);
  result.set("nodeOfRank", info.nodeOfRank);
  result.set("hostname", info.hostname);
  result.set("mpiName", info.mpiName);
  result.set("mpiVersion", info.mpiVersion);
}

struct FormedWorld {
  std::shared_ptr<OpenedWorld> opened;
  WorldInfo info;
};

void writeWorld(Result& result, const FormedWorld& formed) {
  result.putHandle(formed.opened);
  result.setObject("info", formed.info, writeInfo);
}

FormedWorld formedBy(const std::shared_ptr<World>& world) {
  auto opened = std::make_shared<OpenedWorld>();
  opened->world = world;
  opened->gate = std::make_unique<WorldGate>(world);
  return {opened, world->info()};
}

WorldOptions readOptions(Arguments options) {
  WorldOptions request;
  request.pluginPath = options.text("pluginPath");
  request.ranksPerNode = static_cast<int>(options.integer("ranksPerNode", 0, 1 << 20));
  request.timeoutNs = options.integer("timeoutMs", 1, kMaxTimeoutMs) * 1'000'000;
  request.peerTimeoutNs = options.integer("peerTimeoutMs", 500, kMaxTimeoutMs) * 1'000'000;
  request.remotePeerTimeoutNs = options.integer("remotePeerTimeoutMs", 500, kMaxTimeoutMs) * 1'000'000;
  return request;
}

// One per process: MPI cannot be initialised twice.
bool isOpened = false;

}  // namespace

const HandleKind OpenedWorld::kKind{{0x7261696c72756e6eULL, 0x6572576f726c6401ULL}, "NativeWorld", kMethods};

void methods::openWorld(Call& call) {
  WorldOptions request = readOptions(call.object("options"));
  call.promises<FormedWorld>(writeWorld, [&](const auto& toJs) {
    if (std::exchange(isOpened, true))
      throw Error(ErrorCode::kState, "the world is already open in this process");
    GuardedPromise guarded(call.env(), nowNs() + request.timeoutNs,
                           "MPI_Init did not return before its deadline; are all ranks started?");
    const auto settle = guarded.settler();
    try {
      World::open(std::move(request), processControl(),
                  [settle, toJs](std::exception_ptr failure, std::shared_ptr<World> world) {
                    settle(failure, [toJs, world = std::move(world)](Napi::Env env) {
                      return toJs(env, formedBy(world));
                    });
                  });
    } catch (const Error&) {
      settle(std::current_exception(), {});
    }
    return guarded.promise();
  });
}

}  // namespace railrunner::binding
