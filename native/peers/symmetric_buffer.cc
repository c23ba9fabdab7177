#include "peers/symmetric_buffer.h"

#include <cstring>
#include <type_traits>

#include "core/error.h"
#include "peers/agreement.h"

namespace railrunner {

std::string faultOf(const ShareHandle& handle, DeviceKind kind, uint64_t expectedRangeBytes) {
  if (handle.magic != ShareHandle::kMagic) return "its magic is wrong";
  if (handle.kind != kind) return "it is of another kind of device";
  if (handle.rangeBytes != expectedRangeBytes) {
    return "its range is " + std::to_string(handle.rangeBytes) + " bytes, expected " +
           std::to_string(expectedRangeBytes);
  }
  uint64_t end = 0;
  if (__builtin_add_overflow(handle.offset, handle.rangeBytes, &end) || end > handle.bytes) {
    return "its range ends behind its allocation of " + std::to_string(handle.bytes) + " bytes";
  }
  return "";
}

std::unique_ptr<SymmetricBuffer> SymmetricBuffer::open(Exchange& exchange, Device& device, uint64_t bytes,
                                                       const std::vector<uint8_t>& sharesMemory,
                                                       int64_t deadlineNs) {
  std::unique_ptr<SymmetricBuffer> buffer(new SymmetricBuffer());
  static_assert(std::is_trivially_copyable_v<ShareHandle>);
  ShareHandle mine;
  std::exception_ptr failure = attempt([&] {
    if (sharesMemory.size() != exchange.worldSize()) {
      throw Error(ErrorCode::kArgument, "symmetric buffer: expected one sharesMemory entry a rank");
    }
    buffer->own_ = device.allocate(bytes);
    buffer->own_->zero();
    mine = buffer->own_->share(0, bytes);
  });
  const auto all = agreeOn(exchange, "allocating the symmetric buffer", failure,
                           {reinterpret_cast<const uint8_t*>(&mine), sizeof(mine)}, deadlineNs);
  failure = attempt([&] { buffer->openPeers(device, exchange.rank(), all, sharesMemory); });
  try {
    agreeOn(exchange, "mapping the peers' symmetric buffers", failure, {}, deadlineNs);
  } catch (...) {
    const std::exception_ptr refused = std::current_exception();
    // Nobody has used it, but some may have mapped it: the same order as in an orderly end.
    static_cast<void>(attempt([&] { buffer->close(&exchange, deadlineNs); }));
    std::rethrow_exception(refused);
  }
  return buffer;
}

void SymmetricBuffer::openPeers(Device& device, uint32_t rank,
                                const std::vector<std::vector<uint8_t>>& announcements,
                                const std::vector<uint8_t>& sharesMemory) {
  imports_.resize(announcements.size());
  bases_.assign(announcements.size(), nullptr);
  bases_[rank] = local();
  const DeviceKind kind = device.kind();
  for (uint32_t peer = 0; peer < announcements.size(); ++peer) {
    ShareHandle theirs;
    std::string fault;
    if (announcements[peer].size() != sizeof(theirs)) {
      fault = "it has " + std::to_string(announcements[peer].size()) + " bytes, expected " +
              std::to_string(sizeof(theirs));
    } else {
      std::memcpy(&theirs, announcements[peer].data(), sizeof(theirs));
      fault = faultOf(theirs, kind, bytes());
    }
    if (!fault.empty()) {
      throw Error(ErrorCode::kArgument,
                  "the symmetric buffer of rank " + std::to_string(peer) + " is refused: " + fault);
    }
    if (peer == rank || sharesMemory[peer] == 0) continue;
    imports_[peer] = device.open(theirs);
    bases_[peer] = static_cast<std::byte*>(imports_[peer]->data());
  }
}

SymmetricBuffer::~SymmetricBuffer() {
  try {
    close(nullptr, 0);
  } catch (const Error&) {
    // The device is lost, and its mappings with it; who needs to know closes explicitly.
  }
}

void SymmetricBuffer::close(Exchange* exchange, int64_t deadlineNs) {
  if (own_ == nullptr) return;
  const std::exception_ptr failure = attempt([&] {
    const auto imports = std::move(imports_);
    for (const std::unique_ptr<DeviceMemory>& import : imports) {
      if (import != nullptr) import->close();
    }
  });
  bases_.clear();
  // Until all peers have let go, the memory must stay: released here, freed below or never.
  DeviceMemory* own = own_.release();
  if (exchange == nullptr && failure) std::rethrow_exception(failure);
  if (exchange == nullptr) return;
  agreeOn(*exchange, "closing the peers' symmetric buffers", failure, {}, deadlineNs);
  own->close();
  delete own;
}

}  // namespace railrunner
