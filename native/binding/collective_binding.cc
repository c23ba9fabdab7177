#include "binding/collective_binding.h"

#include "binding/device_binding.h"
#include "binding/methods.h"
#include "collective/nccl_config.h"

namespace railrunner::binding {

namespace {

void closeCommunicator(Call& call) {
  const auto state = call.self<OpenedCommunicator>();
  const int64_t deadlineNs = call.deadlineNs();
  call.resolves([state, deadlineNs] {
    if (state->communicator) state->communicator->close(deadlineNs);
    state->communicator.reset();
  });
}

void abandonCommunicator(Call& call) {
  const auto state = call.self<OpenedCommunicator>();
  call.resolves([state] {
    // It stays, closed: a transfer that is still open refers to it, and so does its last call.
    if (state->communicator) state->communicator->giveUp();
  });
}

constexpr Method kMethods[] = {{"close", closeCommunicator}, {"abandon", abandonCommunicator}};

struct LibraryFacts {
  std::string version, path;
};

LibraryFacts factsOf(const NcclLibrary& library) {
  return {ncclVersionText(library.version()), library.path()};
}

void writeLibrary(Result& result, const LibraryFacts& facts) {
  result.set("version", facts.version);
  result.set("path", facts.path);
}

}  // namespace

const HandleKind OpenedCommunicator::kKind{
    {0x7261696c72756e6eULL, 0x6572436f6d6d0001ULL}, "NativeCommunicator", kMethods};

Communicator& OpenedCommunicator::require() const {
  if (!communicator || !communicator->isOpen()) throw Error(ErrorCode::kState, "the communicator is closed");
  return *communicator;
}

void methods::probeNccl(Call& call) {
  const auto libraries = call.texts("libraries");
  call.resolves([libraries] { return factsOf(*NcclLibrary::open(libraries)); }, writeLibrary);
}

void methods::createNcclRecord(Call& call) {
  const auto libraries = call.texts("libraries");
  const auto worldSize = static_cast<int>(call.integer("worldSize", 1, INT32_MAX));
  call.resolves(
      [libraries, worldSize] {
        const auto record = encodeRecord(NcclLibrary::open(libraries)->makeRecord(worldSize));
        return std::vector<uint8_t>(record.begin(), record.end());
      },
      [](Result& result, const std::vector<uint8_t>& record) { result.putBuffer(record); });
}

void methods::openCommunicator(Call& call) {
  auto state = std::make_shared<OpenedCommunicator>();
  state->device = deviceOf(call);
  Arguments asked = call.object("options");
  const auto libraries = asked.texts("libraries");
  const auto record = asked.typed<uint8_t>("record");
  CommunicatorOptions options;
  options.rank = static_cast<int>(asked.integer("rank", 0, INT32_MAX));
  const auto worldSize = static_cast<int32_t>(asked.integer("worldSize", 1, INT32_MAX));
  const auto maxCtas = static_cast<int>(asked.integer("maxCtas", 0, 1024));
  if (maxCtas > 0) options.maxCtas = maxCtas;
  options.deadlineNs = asked.deadlineNs();
  call.resolves(
      [state, libraries, record, worldSize, options] {
        auto library = NcclLibrary::open(libraries);
        const BootstrapRecord decoded = decodeRecord(record, worldSize);
        state->communicator = Communicator::open(std::move(library), decoded, options, processControl());
        return factsOf(state->communicator->library());
      },
      [state](Result& result, const LibraryFacts& facts) {
        result.putHandle(state);
        writeLibrary(result, facts);
      });
}

}  // namespace railrunner::binding
