#include "kv/disk_store.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/checked.h"
#include "kv/parallel.h"

namespace railrunner {

namespace {

// Bytes moved by one request, where blocks lie side by side.
constexpr uint64_t kWindowBytes = 4ULL << 20;

}  // namespace

DiskStore::DiskStore(const DiskFile& file, const BlockLayout& layout, uint32_t threads)
    : file_(file), layout_(layout), threads_(std::max(4U, threads)) {}

void DiskStore::write(const PoolContent& content, const std::vector<uint32_t>& blocks, bool,
                      const RunControl& control) {
  // A disk layout has no gaps: every extent is padded to kDiskBlockBytes, a multiple of a buffer's alignment.
  std::vector<uint32_t> sorted(blocks);
  std::sort(sorted.begin(), sorted.end());
  const std::vector<Extent> extents = extentsOf(layout_, sorted);
  const uint64_t longest = longestStride(layout_);
  const uint64_t perWindow = std::max<uint64_t>(1, kWindowBytes / longest);
  std::vector<std::unique_ptr<AlignedBuffer>> buffers(threads_);
  parallelFor(extents.size(), perWindow, threads_, control,
              [&](uint64_t begin, uint64_t end, uint32_t worker) {
                auto& buffer = buffers[worker];
                if (!buffer) buffer = std::make_unique<AlignedBuffer>(perWindow * longest);
                uint64_t runStart = 0;
                uint64_t runBytes = 0;
                for (uint64_t i = begin; i < end; ++i) {
                  const Extent& extent = extents[i];
                  if (runBytes > 0 && extent.offset != runStart + runBytes) {
                    file_.writeAll(runStart, buffer->data(), runBytes);
                    runBytes = 0;
                  }
                  if (runBytes == 0) runStart = extent.offset;
                  writeExtent(buffer->data() + runBytes, layout_, extent, content);
                  runBytes += extent.strip->stride;
                }
                file_.writeAll(runStart, buffer->data(), runBytes);
              });
}

CheckReport DiskStore::check(const PoolContent& content, uint32_t wordStep, const RunControl& control) {
  const uint64_t longest = longestStride(layout_);
  const uint64_t perWindow = std::max<uint64_t>(1, kWindowBytes / longest);
  std::vector<std::unique_ptr<AlignedBuffer>> buffers(threads_);
  std::vector<CheckReport> reports((layout_.numExtents + perWindow - 1) / perWindow);
  parallelFor(layout_.numExtents, perWindow, threads_, control,
              [&](uint64_t begin, uint64_t end, uint32_t worker) {
                auto& buffer = buffers[worker];
                if (!buffer) buffer = std::make_unique<AlignedBuffer>(perWindow * longest);
                const Extent last = extentAt(layout_, end - 1);
                const uint64_t from = extentAt(layout_, begin).offset;
                file_.readAll(from, buffer->data(), last.offset + last.strip->stride - from);
                for (uint64_t index = begin; index < end; ++index) {
                  const Extent extent = extentAt(layout_, index);
                  checkExtent(buffer->data() + (extent.offset - from), layout_, extent, content, wordStep,
                              reports[begin / perWindow]);
                }
              });
  CheckReport whole;
  for (const CheckReport& report : reports) mergeReport(whole, report);
  return whole;
}

CheckReport DiskStore::checkBlocks(const PoolContent& content, const std::vector<uint32_t>& blocks,
                                   uint32_t wordStep, const RunControl& control) {
  const std::vector<Extent> extents = extentsOf(layout_, blocks);
  std::vector<std::unique_ptr<AlignedBuffer>> buffers(threads_);
  std::vector<CheckReport> reports(extents.size());
  parallelFor(extents.size(), 1, threads_, control, [&](uint64_t index, uint64_t, uint32_t worker) {
    auto& buffer = buffers[worker];
    if (!buffer) buffer = std::make_unique<AlignedBuffer>(longestStride(layout_));
    const Extent& extent = extents[index];
    file_.readAll(extent.offset, buffer->data(), extent.strip->stride);
    checkExtent(buffer->data(), layout_, extent, content, wordStep, reports[index]);
  });
  CheckReport whole;
  for (const CheckReport& report : reports) mergeReport(whole, report);
  return whole;
}

void DiskStore::readBytes(uint64_t offset, void* target, uint64_t bytes) {
  const uint64_t begin = offset & ~(kDiskBlockBytes - 1);
  AlignedBuffer buffer(alignUp(offset + bytes, kDiskBlockBytes) - begin);
  file_.readAll(begin, buffer.data(), buffer.bytes());
  std::memcpy(target, buffer.data() + (offset - begin), bytes);
}

void DiskStore::writeBytes(uint64_t offset, const void* source, uint64_t bytes) {
  const uint64_t begin = offset & ~(kDiskBlockBytes - 1);
  AlignedBuffer buffer(alignUp(offset + bytes, kDiskBlockBytes) - begin);
  file_.readAll(begin, buffer.data(), buffer.bytes());
  std::memcpy(buffer.data() + (offset - begin), source, bytes);
  file_.writeAll(begin, buffer.data(), buffer.bytes());
}

}  // namespace railrunner
