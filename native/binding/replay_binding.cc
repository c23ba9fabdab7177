#include <array>
#include <cmath>

#include "binding/collective_binding.h"
#include "binding/device_binding.h"
#include "binding/kv_binding.h"
#include "binding/methods.h"
#include "binding/operation.h"
#include "replay/replayer.h"
#include "world/world_exchange.h"

namespace railrunner::binding {

namespace {

struct ReplayFacts {
  std::string strategyUsed, diskIo, networkTransport;
};

// The state of a NativeReplay; members are released in reverse order.
struct OpenedReplay {
  std::shared_ptr<OpenedWorld> world;
  std::unique_ptr<WorldExchange> exchange;
  std::shared_ptr<Device> device;
  std::array<std::shared_ptr<OpenedPool>, 3> pools;  // null where this rank has no such tier
  std::shared_ptr<OpenedCommunicator> communicator;  // null but in replicated mode on cuda
  std::unique_ptr<Replayer> replayer;

  Replayer& require() const {
    if (!replayer) throw Error(ErrorCode::kState, "the replay is closed");
    return *replayer;
  }
  ReplayFacts facts() const {
    const Replayer& opened = require();
    return {opened.strategyUsed(), opened.diskIo(), opened.networkTransport()};
  }
  void close(bool together, int64_t deadlineNs) {
    const std::unique_ptr<Replayer> closing = std::move(replayer);
    if (closing) closing->close(together, deadlineNs);
  }
  static void write(Result& result, const ReplayFacts& facts);
  static const HandleKind kKind;
};

// Two words for each content, the low one first.
uint64_t contentOf(const std::vector<uint32_t>& words, size_t index) {
  return (uint64_t{words[2 * index + 1]} << 32) | words[2 * index];
}

MoveWindow readWindow(Arguments object) {
  MoveWindow window;
  window.firstRequest = object.integer("firstRequest", 0, kMaxInteger);
  const auto due = object.typed<double>("dueUs");
  const auto delay = object.typed<double>("delayUs");
  const auto previous = object.typed<int32_t>("previous");
  object.expect(delay.size() == due.size() && previous.size() == due.size(), "window",
                "as many delays and previous requests as due times");
  for (size_t i = 0; i < due.size(); ++i) {
    object.expect(due[i] >= 0 && std::isfinite(due[i]) && std::isfinite(delay[i]), "dueUs",
                  "finite times from 0");
    window.arrivals.push_back({due[i], previous[i], delay[i]});
  }
  window.counts = readBlockIds(object, "counts");
  const std::vector<uint32_t> source = readBlockIds(object, "source");
  const std::vector<uint32_t> target = readBlockIds(object, "target");
  const auto content = object.typed<uint32_t>("content");
  object.expect(source.size() == target.size() && content.size() == 2 * source.size(), "window",
                "a source, a target and two words of content for each move");
  window.moves.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i)
    window.moves.push_back({source[i], target[i], contentOf(content, i)});
  return window;
}

struct NamedTotals {
  std::string direction;
  DirectionTotals totals;
};

std::vector<NamedTotals> namedTotals(const WindowResult& window) {
  std::vector<NamedTotals> all;
  for (size_t i = 0; i < kDirections.size(); ++i) {
    const std::string direction =
        std::string(tierName(kDirections[i].from)) + "->" + tierName(kDirections[i].to);
    all.push_back({direction, window.directions[i]});
  }
  return all;
}

void writeTotals(Result& result, const NamedTotals& named) {
  result.set("direction", named.direction);
  result.set("slots", named.totals.slots);
  result.set("busyUs", named.totals.busyUs);
  result.setObject("bytes", named.totals.bytes, writeBytes);
}

void writeFailedSlot(Result& result, const FailedSlot& failed) {
  result.set("tier", tierName(failed.tier));
  result.set("slot", failed.slot);
}

void writeWindow(Result& result, const WindowResult& window) {
  result.setTyped("dueUs", window.dueUs);
  result.setTyped("beginUs", window.beginUs);
  result.setTyped("loadedUs", window.loadedUs);
  result.setTyped("endUs", window.endUs);
  result.setTyped("stallUs", window.stallUs);
  result.setArray("directions", namedTotals(window), writeTotals);
  result.set("hits", window.hits);
  result.set("fills", window.fills);
  result.set("failedLoads", window.failedLoads);
  result.setArray("failedSlots", window.failedSlots, writeFailedSlot);
  result.set("firstFailure", window.firstFailure);
  result.setObject("check", window.report, writeCheck);
  result.set("firstBadRequest", window.firstBadRequest);
  result.set("firstBadSlot", window.firstBadSlot);
  result.set("fillUs", window.fillUs);
  result.set("checkUs", window.checkUs);
  result.set("setUpUs", window.setUpUs);
  result.set("stopped", window.stopped);
}

void runReplay(Call& call) {
  const auto state = call.self<OpenedReplay>();
  auto window = std::make_shared<MoveWindow>(readWindow(call.object("window")));
  call.resolves(
      [state, window] {
        return state->require().run(*window, GateRef(state->world->gate->gate()), processControl());
      },
      writeWindow);
}

void checkReplay(Call& call) {
  const auto state = call.self<OpenedReplay>();
  Arguments content = call.object("content");
  const Tier tier = readTier(content, "tier");
  const std::vector<uint32_t> slots = readBlockIds(content, "slots");
  const auto words = content.typed<uint32_t>("content");
  content.expect(words.size() == 2 * slots.size(), "content", "two words for each slot");
  std::vector<uint64_t> contents;
  for (size_t i = 0; i < slots.size(); ++i) contents.push_back(contentOf(words, i));
  call.resolves([state, tier, slots,
                 contents] { return state->require().checkAll(tier, slots, contents, processControl()); },
                writeCheck);
}

constexpr Method kMethods[] = {
    {"run", runReplay},
    {"check", checkReplay},
    {"facts", factsOperation<OpenedReplay>},
    {"close", closeOperation<OpenedReplay>},
};

const HandleKind OpenedReplay::kKind{
    {0x7261696c72756e6eULL, 0x65725265706c6179ULL}, "NativeReplay", kMethods};

void OpenedReplay::write(Result& result, const ReplayFacts& facts) {
  result.set("strategyUsed", facts.strategyUsed);
  result.set("diskIo", facts.diskIo);
  result.set("networkTransport", facts.networkTransport);
}

ReplayOptions readReplayOptions(Arguments& object) {
  static const Choices<Pacing> kPacings{
      {"asFastAsPossible", Pacing::kNone}, {"recorded", Pacing::kRecorded}, {"sessions", Pacing::kSessions}};
  static const Choices<uint32_t> kWordSteps{
      {"full", kCheckAllWords}, {"sample", kCheckSampledWords}, {"off", 0}};
  ReplayOptions options;
  options.blocksPerSlot = object.uint32("blocksPerSlot");
  const std::vector<uint32_t> slots = readUint32s(object, "slots");
  object.expect(slots.size() == options.slots.size(), "slots", "those of device, host and disk");
  std::copy(slots.begin(), slots.end(), options.slots.begin());
  options.seed = object.size("seed");
  options.owner = object.uint32("owner");
  options.pacing = object.choice("pacing", kPacings);
  options.wordStep = object.choice("check", kWordSteps);
  Arguments copies = object.object("copies");
  options.copies = readTransferOptions(copies);
  options.faults = readFaults(object);
  return options;
}

struct SharedTier {
  LayoutShape layout;
  std::vector<uint32_t> sectionBlocks;
};

SharedTier readSharedTier(Arguments object) {
  SharedTier tier;
  tier.layout = readLayout(object, "layout");
  tier.sectionBlocks = readUint32s(object, "sectionBlocks");
  return tier;
}

struct SharedRequest {
  std::array<ReplicatedRequest, 2> requests;  // of host and disk; without pools, nodes and communicator
  std::shared_ptr<OpenedCommunicator> communicator;
};

SharedRequest readShared(Arguments& object) {
  SharedRequest shared;
  const ReplicatedStrategy strategy = readReplicatedStrategy(object);
  const auto root = static_cast<int>(object.integer("root", 0, INT32_MAX));
  const SharedTier device = readSharedTier(object.object("device"));
  const std::array<SharedTier, 2> sources{readSharedTier(object.object("host")),
                                          readSharedTier(object.object("disk"))};
  for (size_t i = 0; i < sources.size(); ++i) {
    ReplicatedRequest& request = shared.requests[i];
    request.strategy = strategy;
    request.root = root;
    request.sourceTier = i == 0 ? Tier::kHost : Tier::kDisk;
    request.sourceShape = sources[i].layout;
    request.sourceBlocks = sources[i].sectionBlocks;
    request.targetShape = device.layout;
    request.targetBlocks = device.sectionBlocks;
  }
  shared.communicator = object.handleOrNull<OpenedCommunicator>("communicator");
  return shared;
}

std::array<std::shared_ptr<OpenedPool>, 3> readPools(Arguments object) {
  return {object.handle<OpenedPool>("device"), object.handleOrNull<OpenedPool>("host"),
          object.handleOrNull<OpenedPool>("disk")};
}

// On the worker thread, with the pools of `options`.
std::unique_ptr<SharedLoads> openShared(OpenedReplay& state, const ReplayOptions& options,
                                        std::array<ReplicatedRequest, 2> requests) {
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].source = options.pools[i + 1];
    requests[i].target = options.pools[0];
    requests[i].layerEnd = options.pools[0]->layout().numLayers;
    requests[i].nodeOfRank = state.world->world->info().nodeOfRank;
    requests[i].options = options.copies;
    requests[i].options.strategy = Strategy::kAuto;
    if (state.communicator) requests[i].communicator = &state.communicator->require();
  }
  return std::make_unique<SharedLoads>(*state.exchange, *state.device, std::move(requests));
}

}  // namespace

void methods::openReplay(Call& call) {
  auto state = std::make_shared<OpenedReplay>();
  state->device = deviceOf(call);
  state->world = call.handle<OpenedWorld>("world");
  Arguments asked = call.object("options");
  state->pools = readPools(asked.object("pools"));
  ReplayOptions options = readReplayOptions(asked);
  const std::optional<SharedRequest> shared = asked.objectOrNull("shared", readShared);
  if (!call.isDescription()) {
    state->exchange = std::make_unique<WorldExchange>(*state->world->world);
    const int worldSize = state->world->world->info().worldSize;
    if (shared) state->communicator = shared->communicator;
    asked.expect(!shared || shared->requests[0].root < worldSize, "root", "a rank");
  }
  resolveHandle(call, state, [state, shared, options]() mutable {
    for (size_t tier = 0; tier < state->pools.size(); ++tier) {
      if (state->pools[tier]) options.pools[tier] = &state->pools[tier]->require();
    }
    std::unique_ptr<SharedLoads> loads;
    if (shared) loads = openShared(*state, options, shared->requests);
    state->replayer =
        std::make_unique<Replayer>(*state->device, std::move(options), std::move(loads), processControl());
  });
}

}  // namespace railrunner::binding
