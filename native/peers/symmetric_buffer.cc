#include "peers/symmetric_buffer.h"

#include <cstring>
#include <type_traits>

#include "core/agreement.h"
#include "core/attempt.h"
#include "core/error.h"
#include "peers/abandoned_memory.h"

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
  AbandonedMemory::freeWhereAllLetGo(exchange, deadlineNs);
  std::unique_ptr<SymmetricBuffer> buffer(new SymmetricBuffer());
  std::vector<std::vector<uint8_t>> all;
  try {
    all = Agreement(exchange, "allocating the symmetric buffer", deadlineNs).run([&] {
      if (sharesMemory.size() != exchange.worldSize()) {
        throw Error(ErrorCode::kArgument, "symmetric buffer: expected one sharesMemory entry per rank");
      }
      buffer->own_ = device.allocate(bytes);
      buffer->own_->zero();
      return bytesOfValue(buffer->own_->share(0, bytes));
    });
  } catch (const AgreedError&) {
    buffer->own_.reset();  // nobody maps what all know to have failed
    throw;
  }
  try {
    Agreement(exchange, "mapping the peers' symmetric buffers", deadlineNs).run([&] {
      buffer->openPeers(device, exchange.rank(), all, sharesMemory);
    });
  } catch (const AgreedError&) {
    // Nobody has used it, but some may have mapped it: the same order as in an orderly end.
    static_cast<void>(attempt([&] { buffer->close(&exchange, deadlineNs); }));
    throw;
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
    AbandonedMemory::countImport();
    bases_[peer] = static_cast<std::byte*>(imports_[peer]->data());
  }
}

SymmetricBuffer::~SymmetricBuffer() {
  // What it throws: the device is lost, and its mappings with it. Who needs to know closes explicitly.
  static_cast<void>(attempt([this] { close(nullptr, 0); }));
}

void SymmetricBuffer::closeImports() {
  std::exception_ptr failure;
  for (std::unique_ptr<DeviceMemory>& import : imports_) {
    if (import == nullptr) continue;
    const std::exception_ptr refused = attempt([&] { import->close(); });
    if (failure == nullptr) failure = refused;
    import.reset();
    AbandonedMemory::uncountImport();
  }
  bases_.clear();
  if (failure) std::rethrow_exception(failure);
}

void SymmetricBuffer::close(Exchange* exchange, int64_t deadlineNs) {
  if (own_ == nullptr) return;
  // Until all peers have released it, the memory must stay.
  std::unique_ptr<DeviceMemory> own = std::move(own_);
  try {
    if (exchange == nullptr) {
      closeImports();
    } else {
      Agreement(*exchange, "closing the peers' symmetric buffers", deadlineNs).run([&] { closeImports(); });
      own->close();
      return;
    }
  } catch (...) {
    AbandonedMemory::keep(std::move(own));
    throw;
  }
  AbandonedMemory::keep(std::move(own));
}

}  // namespace railrunner
