#include "core/agreement.h"
#include "core/byte_record.h"
#include "network/network.h"
#include "network/network_state.h"

#ifdef RAILRUNNER_HAVE_UCX

namespace railrunner {

namespace {

constexpr uint64_t kMaxKeyBytes = 64 << 10;

void checkMemory(const void* base, uint64_t bytes, DeviceKind kind, uint32_t number) {
  if (kind != DeviceKind::kHost) {
    throw Error(ErrorCode::kUnsupportedHere,
                "network_memory device could not be tried: no machine with RDMA and GPUs was available. Use "
                "host memory, which the kernels read and poll.");
  }
  if (base == nullptr || bytes == 0 || reinterpret_cast<uintptr_t>(base) % 8 != 0) {
    throw Error(ErrorCode::kArgument, "network: memory to register is empty or not aligned to 8 bytes");
  }
  if (number >= kMaxRegions) {
    throw Error(ErrorCode::kState, "network: " + std::to_string(kMaxRegions) +
                                       " regions were registered, the most there can be");
  }
}

// Registers with the hardware for remote writes. Returns the key that peers need.
std::vector<uint8_t> mapForRemoteWrites(ucp_context_h context, void* base, uint64_t bytes,
                                        ucp_mem_h& memory) {
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  params.address = base;
  params.length = bytes;
  ucs_status_t status = ucx().ucp_mem_map(context, &params, &memory);
  if (status != UCS_OK)
    throw ucxError("registering " + std::to_string(bytes) + " bytes (see ulimit -l)", status);
  void* buffer = nullptr;
  size_t keyBytes = 0;
  status = ucx().ucp_rkey_pack(context, memory, &buffer, &keyBytes);
  if (status != UCS_OK) throw ucxError("ucp_rkey_pack", status);
  std::vector<uint8_t> key(static_cast<uint8_t*>(buffer), static_cast<uint8_t*>(buffer) + keyBytes);
  ucx().ucp_rkey_buffer_release(buffer);
  return key;
}

// `expectedBytes` 0: any.
void learnTarget(Network::State& state, const std::vector<uint8_t>& record, uint32_t peer, uint32_t region,
                 uint64_t expectedBytes) {
  ByteReader reader(record, peer);
  const uint64_t base = reader.number();
  const uint64_t bytes = reader.number();
  const std::vector<uint8_t> key = reader.bytes(kMaxKeyBytes);
  const uint64_t digest = reader.number();
  reader.end();
  if (expectedBytes != 0 && bytes != expectedBytes) {
    throw reader.fault("its memory has " + std::to_string(bytes) + " bytes, expected " +
                       std::to_string(expectedBytes));
  }
  if (digest != digestOf(key, state.shared.networkId))
    throw reader.fault("its memory key does not match its digest");
  state.withAllLocks([&] {
    state.peerBytes[region][peer] = bytes;
    if (state.options.usesNetwork[peer] == 0) return;
    for (auto& worker : state.workers) worker->addTarget(region, peer, base, key);
  });
}

}  // namespace

uint32_t Network::registerMemory(Exchange& exchange, void* base, uint64_t bytes, DeviceKind kind,
                                 int64_t deadlineNs, RegionSizes sizes) {
  State& state = *state_;
  State::Region region;
  const uint32_t number = static_cast<uint32_t>(state.regions.size());
  const char* step = "registering memory with the network";
  try {
    const auto records = Agreement(exchange, step, deadlineNs).run([&] {
      checkMemory(base, bytes, kind, number);
      std::vector<uint8_t> key;
      if (state.shared.protocol == NetworkProtocol::kRemoteWrite) {
        key = mapForRemoteWrites(state.shared.context, base, bytes, region.memory);
      }
      // From here on peers may write: they learn of the region by this very exchange.
      state.withAllLocks([&] {
        state.peerBytes.emplace_back(exchange.worldSize(), 0);
        state.arrivalRegions.push_back({static_cast<uint8_t*>(base), bytes});
      });
      ByteWriter writer;
      writer.number(reinterpret_cast<uintptr_t>(base));
      writer.number(bytes);
      writer.bytes(key);
      writer.number(digestOf(key, state.shared.networkId));
      return writer.data();
    });
    Agreement(exchange, step, deadlineNs).run([&] {
      for (uint32_t peer = 0; peer < records.size(); ++peer)
        learnTarget(state, records[peer], peer, number, sizes == RegionSizes::kEqual ? bytes : 0);
    });
  } catch (...) {
    state.withAllLocks([&] {
      state.arrivalRegions.resize(number);
      state.peerBytes.resize(number);
      for (auto& worker : state.workers) worker->dropTarget(number);
    });
    if (region.memory != nullptr) ucx().ucp_mem_unmap(state.shared.context, region.memory);
    throw;
  }
  state.regions.push_back(region);
  return number;
}

void Network::unregisterMemory(Exchange& exchange, uint32_t region, int64_t deadlineNs) {
  State& state = *state_;
  if (region >= state.regions.size() || state.arrivalRegions[region].base == nullptr) {
    throw Error(ErrorCode::kArgument, "network: region " + std::to_string(region) + " is not registered");
  }
  // Whatever this rank sent has left it before any rank releases; what still arrives afterwards misses the
  // region.
  Agreement(exchange, "releasing network memory", deadlineNs).run([&] { flush(deadlineNs); });
  state.withAllLocks([&] {
    state.arrivalRegions[region] = {};
    for (auto& worker : state.workers) worker->dropTarget(region);
  });
  if (state.regions[region].memory != nullptr)
    ucx().ucp_mem_unmap(state.shared.context, state.regions[region].memory);
  state.regions[region].memory = nullptr;
}

}  // namespace railrunner

#endif
