#pragma once

#include <cstdint>
#include <string>

#include "core/run_control.h"
#include "storage/direct_io.h"

namespace railrunner {

// Anonymous page-aligned memory for direct I/O.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(uint64_t bytes);
  ~AlignedBuffer();
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  std::byte* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
};

// The file behind a disk tier. It is opened with O_DIRECT where the file system does something with that
// (direct_io.h), its space is reserved, and its name is removed at once: it ends with the process, however
// that ends. Errors are kIo with errno and path.
class DiskFile {
 public:
  // `folder` must exist; `bytes` is a multiple of kIoAlignmentBytes.
  DiskFile(const std::string& folder, uint64_t bytes);
  ~DiskFile() { close(); }
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;

  static constexpr uint64_t kIoAlignmentBytes = 4096;

  int descriptor() const { return descriptor_; }
  const std::string& path() const { return path_; }
  uint64_t bytes() const { return bytes_; }
  const DirectIoFacts& directIo() const { return directIo_; }
  // False where the file system cannot reserve: a full disk is then met by a write.
  bool reserved() const { return reserved_; }

  // Whole aligned ranges, synchronous; address, offset and length are multiples of kIoAlignmentBytes.
  void readAll(uint64_t offset, std::byte* target, uint64_t bytes) const;
  void writeAll(uint64_t offset, const std::byte* source, uint64_t bytes) const;
  void close();

 private:
  void openIn(const std::string& folder);
  void reserve();

  int descriptor_ = -1;
  std::string path_;
  uint64_t bytes_ = 0;
  DirectIoFacts directIo_;
  bool reserved_ = false;
};

}  // namespace railrunner
