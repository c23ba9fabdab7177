#include "transfer/metadata.h"

#include <algorithm>
#include <array>

#include "core/pattern.h"
#include "transfer/metadata_bytes.h"

namespace railrunner {

namespace {

constexpr std::array<uint8_t, 4> kMagic{'R', 'R', 'K', 'V'};
constexpr uint32_t kMaxLayersOfGroup = 1U << 16;
constexpr uint32_t kMaxLayoutsOfBlob = UINT16_MAX;
// Of all layouts: a run of a few bytes may stand for thousands of layers, and a hostile blob is made of such runs.
constexpr uint64_t kMaxLayersOfBlob = 1U << 20;
constexpr uint32_t kSharesNothing = 0;
constexpr uint32_t kSharesSegment = 1;
constexpr uint32_t kSharesIpc = 2;

bool isPrintable(const std::string& name) {
  return !name.empty() && name.size() <= kMaxAgentName &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// Groups and pages, which layouts of several memories share.
struct Table {
  PageShape pages;
  std::vector<GroupShape> groups;
};

bool same(const GroupShape& a, const GroupShape& b) {
  return a.layers == b.layers && a.regionBytes == b.regionBytes && a.section == b.section &&
         a.heads == b.heads;
}

bool same(const Table& a, const Table& b) {
  return a.pages == b.pages &&
         std::equal(a.groups.begin(), a.groups.end(), b.groups.begin(), b.groups.end(),
                    [](const GroupShape& x, const GroupShape& y) { return same(x, y); });
}

// Layers as runs at even steps: first, count, step between the count. Long lists of "every sixth" stay short.
void writeLayers(MetadataWriter& writer, const std::vector<uint32_t>& layers) {
  writer.number(layers.size());
  uint64_t next = 0;
  for (size_t i = 0; i < layers.size();) {
    const uint32_t step = i + 1 < layers.size() ? layers[i + 1] - layers[i] : 1;
    size_t end = i + 1;
    while (end < layers.size() && layers[end] - layers[end - 1] == step) ++end;
    writer.number(layers[i] - next);
    writer.number(end - i);
    if (end - i > 1) writer.number(step);
    next = uint64_t{layers[end - 1]} + 1;
    i = end;
  }
}

std::vector<uint32_t> readLayers(MetadataReader& reader, uint64_t& layersLeft) {
  const uint32_t count = reader.number32("number of layers", 1, kMaxLayersOfGroup);
  if (count > layersLeft) reader.refuse("more layers than a blob may have");
  layersLeft -= count;
  std::vector<uint32_t> layers;
  uint64_t next = 0;
  while (layers.size() < count) {
    const uint64_t first = next + reader.number("first layer of a run", 0, kMaxLayersOfGroup);
    const uint64_t length = reader.number("layers of a run", 1, count - layers.size());
    const uint64_t step = length > 1 ? reader.number("step of a run", 1, kMaxLayersOfGroup) : 1;
    if (first + (length - 1) * step >= kMaxLayersOfGroup)
      reader.refuse("a layer beyond the last there can be");
    for (uint64_t i = 0; i < length; ++i) layers.push_back(static_cast<uint32_t>(first + i * step));
    next = uint64_t{layers.back()} + 1;
  }
  return layers;
}

void writeTable(MetadataWriter& writer, const Table& table) {
  writer.number(table.pages.pagesPerBlock);
  writer.number(table.pages.pageTokens);
  writer.number(table.groups.size());
  for (const GroupShape& group : table.groups) {
    writeLayers(writer, group.layers);
    writer.number(group.regionBytes.size());
    for (const uint64_t bytes : group.regionBytes) writer.number(bytes);
    writer.number(group.section);
    writer.number(static_cast<uint64_t>(group.heads.order));
    writer.number(group.heads.firstHead);
    writer.number(group.heads.numHeads);
    writer.number(group.heads.totalHeads);
  }
}

Table readTable(MetadataReader& reader, uint64_t& layersLeft) {
  Table table;
  table.pages.pagesPerBlock = reader.number32("pages of a block", 1, UINT32_MAX);
  table.pages.pageTokens = reader.number32("tokens of a page", 0, UINT32_MAX);
  const uint64_t numGroups = reader.number("number of groups", 1, kMaxGroups);
  for (uint64_t i = 0; i < numGroups; ++i) {
    GroupShape& group = table.groups.emplace_back();
    // Names are for messages alone, and not sent.
    if (numGroups > 1) group.name = std::to_string(i);
    group.layers = readLayers(reader, layersLeft);
    const uint64_t numOuters = reader.number("outer indices", 1, kMaxOuters);
    for (uint64_t outer = 0; outer < numOuters; ++outer)
      group.regionBytes.push_back(reader.number("region bytes", 1, INT64_MAX));
    group.section = reader.number32("section", 0, kMaxGroups - 1);
    group.heads.order = static_cast<HeadOrder>(reader.number("order of heads", 0, 1));
    group.heads.firstHead = reader.number32("first head", 0, UINT32_MAX);
    group.heads.numHeads = reader.number32("heads", 1, UINT32_MAX);
    group.heads.totalHeads = reader.number32("heads of the model", 1, UINT32_MAX);
  }
  return table;
}

void writeShare(MetadataWriter& writer, const PhysicalLayout& layout) {
  if (!layout.share) return writer.number(kSharesNothing);
  const ShareHandle& share = *layout.share;
  const bool cuda = share.kind == DeviceKind::kCuda;
  writer.number(cuda ? kSharesIpc : kSharesSegment);
  writer.number(share.bytes);
  writer.number(share.offset);
  if (cuda) return writer.raw(share.ipc);
  writer.number(static_cast<uint32_t>(share.processId));
  writer.number(static_cast<uint32_t>(share.descriptor));
  writer.fixed(share.nonce, 8);
}

void readShare(MetadataReader& reader, PhysicalLayout& layout) {
  const uint64_t kind = reader.number("kind of sharing", kSharesNothing, kSharesIpc);
  if (kind == kSharesNothing) return;
  if (layout.location == StorageKind::kSystem) reader.refuse("heap memory that can be mapped");
  ShareHandle share;
  share.magic = ShareHandle::kMagic;
  share.kind = kind == kSharesIpc ? DeviceKind::kCuda : DeviceKind::kHost;
  share.bytes = reader.number("bytes of an allocation", 1, INT64_MAX);
  share.offset = reader.number("offset in an allocation", 0, share.bytes);
  share.rangeBytes = layout.blocks.totalBytes;
  if (share.rangeBytes > share.bytes - share.offset) {
    reader.refuse("an allocation of " + std::to_string(share.bytes) + " bytes is too small for " +
                  std::to_string(share.rangeBytes) + " bytes from " + std::to_string(share.offset) + " on");
  }
  if (kind == kSharesIpc) {
    const std::span<const uint8_t> ipc = reader.raw(share.ipc.size(), "IPC handle");
    std::copy(ipc.begin(), ipc.end(), share.ipc.begin());
  } else {
    share.processId = static_cast<int32_t>(reader.number("process id", 1, INT32_MAX));
    share.descriptor = static_cast<int32_t>(reader.number("descriptor", 0, INT32_MAX));
    share.nonce = reader.fixed(8, "nonce");
  }
  layout.share = share;
}

void writeLayout(MetadataWriter& writer, const PhysicalLayout& layout, uint64_t table) {
  writer.number(layout.handle.layoutId);
  writer.number(table);
  writer.number(static_cast<uint64_t>(layout.location));
  const auto alignment = static_cast<uint64_t>(std::countr_zero(layout.shape.alignment));
  writer.number(alignment << 2 | static_cast<uint64_t>(layout.shape.blockDim) << 1 |
                static_cast<uint64_t>(layout.shape.kind));
  writer.number(layout.sectionBlocks.size());
  for (const uint32_t blocks : layout.sectionBlocks) writer.number(blocks);
  writer.number(layout.address);
  writer.number(layout.deviceId);
  writeShare(writer, layout);
}

uint64_t layersOf(const std::vector<GroupShape>& groups) {
  uint64_t layers = 0;
  for (const GroupShape& group : groups) layers += group.layers.size();
  return layers;
}

// What the layouts read before leave for the next.
struct Room {
  uint32_t minId;
  uint64_t& layersLeft;
};

std::shared_ptr<const PhysicalLayout> readLayout(MetadataReader& reader, const WorkerAddress& worker,
                                                 const std::vector<Table>& tables, Room room) {
  auto layout = std::make_shared<PhysicalLayout>();
  layout->owner = worker.agentName;
  layout->handle = {worker.workerId,
                    static_cast<uint16_t>(reader.number("layout id", room.minId, kMaxLayoutsOfBlob - 1))};
  const Table& table = tables[reader.number("table of groups", 0, tables.size() - 1)];
  const uint64_t layers = layersOf(table.groups);
  if (layers > room.layersLeft) reader.refuse("more layers than a blob may have");
  room.layersLeft -= layers;
  layout->location = static_cast<StorageKind>(
      reader.number("kind of storage", 0, static_cast<uint64_t>(StorageKind::kDevice)));
  const uint64_t flags = reader.number("layout flags", 0, 30 << 2 | 3);
  layout->shape.kind = static_cast<LayoutKind>(flags & 1);
  layout->shape.blockDim = static_cast<BlockDim>(flags >> 1 & 1);
  layout->shape.alignment = 1ULL << (flags >> 2);
  layout->shape.groups = table.groups;
  layout->shape.pages = table.pages;
  const uint64_t numSections = reader.number("sections", 1, kMaxGroups);
  for (uint64_t i = 0; i < numSections; ++i)
    layout->sectionBlocks.push_back(reader.number32("blocks", 1, UINT32_MAX));
  layout->address = reader.number("address", 0, UINT64_MAX);
  layout->deviceId = reader.number("device id", 0, INT32_MAX);
  try {
    layout->blocks = makeLayout(layout->shape, layout->sectionBlocks, 1);
  } catch (const Error& error) {
    reader.refuse(std::string("a layout that cannot be: ") + error.what());
  }
  if (layout->address > UINT64_MAX - layout->blocks.totalBytes)
    reader.refuse("memory beyond the last address");
  readShare(reader, *layout);
  return layout;
}

void readHeader(MetadataReader& reader, std::span<const uint8_t> blob) {
  const std::span<const uint8_t> magic = reader.raw(kMagic.size(), "magic");
  if (std::equal(magic.rbegin(), magic.rend(), kMagic.begin()))
    reader.refuse("it was written in another byte order");
  if (!std::equal(magic.begin(), magic.end(), kMagic.begin())) reader.refuse("its magic is wrong");
  const uint64_t version = reader.fixed(2, "version");
  if (version != kMetadataVersion) {
    reader.refuse("format version " + std::to_string(version) + ", this build reads " +
                  std::to_string(kMetadataVersion));
  }
  if (reader.fixed(2, "reserved") != 0) reader.refuse("reserved bytes that are not zero");
  const uint64_t bytes = reader.fixed(4, "length");
  if (bytes != blob.size()) {
    reader.refuse("it says that it has " + std::to_string(bytes) + " bytes, received " +
                  std::to_string(blob.size()));
  }
  if (reader.fixed(8, "checksum") != metadataChecksum(blob)) reader.refuse("its checksum does not match");
}

// Each table once, in the order of first use, which makes the encoding the only one.
std::vector<Table> tablesOf(const Metadata& metadata, std::vector<uint64_t>& tableOf) {
  std::vector<Table> tables;
  for (const auto& layout : metadata.layouts) {
    const Table table{layout->shape.pages, layout->shape.groups};
    const auto found =
        std::find_if(tables.begin(), tables.end(), [&](const Table& t) { return same(t, table); });
    tableOf.push_back(static_cast<uint64_t>(found - tables.begin()));
    if (found == tables.end()) tables.push_back(table);
  }
  return tables;
}

}  // namespace

uint64_t metadataChecksum(std::span<const uint8_t> blob) {
  uint64_t sum = mix64(blob.size());
  for (size_t at = 0; at < blob.size(); at += 8) {
    uint64_t word = 0;
    for (size_t i = at; i < std::min(at + 8, blob.size()); ++i) {
      const bool own = i >= kMetadataHeaderBytes - 8 && i < kMetadataHeaderBytes;
      word |= static_cast<uint64_t>(own ? 0 : blob[i]) << (8 * (i - at));
    }
    sum = mix64(sum ^ word) + 0x9e3779b97f4a7c15ULL;
  }
  return sum;
}

std::vector<uint8_t> encodeMetadata(const Metadata& metadata) {
  if (!isPrintable(metadata.worker.agentName)) {
    throw Error(ErrorCode::kArgument, "agent name: expected 1 to 64 printable characters without spaces");
  }
  uint64_t layers = 0;
  for (const auto& layout : metadata.layouts) layers += layersOf(layout->shape.groups);
  if (layers > kMaxLayersOfBlob) {
    throw Error(ErrorCode::kUnsupportedHere, "metadata of " + std::to_string(layers) +
                                                 " layers, expected at most " +
                                                 std::to_string(kMaxLayersOfBlob));
  }
  MetadataWriter writer;
  writer.raw(kMagic);
  writer.fixed(kMetadataVersion, 2);
  writer.fixed(0, 2);  // reserved
  writer.fixed(0, 4);  // length and checksum are filled in below
  writer.fixed(0, 8);
  writer.fixed(metadata.worker.workerId, 8);
  const std::string& name = metadata.worker.agentName;
  writer.number(name.size());
  writer.raw({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
  std::vector<uint64_t> tableOf;
  const std::vector<Table> tables = tablesOf(metadata, tableOf);
  writer.number(metadata.layouts.size());
  writer.number(tables.size());
  for (const Table& table : tables) writeTable(writer, table);
  for (size_t i = 0; i < metadata.layouts.size(); ++i) writeLayout(writer, *metadata.layouts[i], tableOf[i]);

  std::vector<uint8_t>& blob = writer.data();
  if (blob.size() > metadataLimit(metadata.layouts.size())) {
    throw Error(ErrorCode::kUnsupportedHere, "metadata of " + std::to_string(metadata.layouts.size()) +
                                                 " layouts takes " + std::to_string(blob.size()) +
                                                 " bytes, expected at most " +
                                                 std::to_string(metadataLimit(metadata.layouts.size())) +
                                                 "; give layouts the same groups of layers");
  }
  for (uint32_t i = 0; i < 4; ++i) blob[8 + i] = static_cast<uint8_t>(blob.size() >> (8 * i));
  const uint64_t sum = metadataChecksum(blob);
  for (uint32_t i = 0; i < 8; ++i) blob[12 + i] = static_cast<uint8_t>(sum >> (8 * i));
  return std::move(blob);
}

Metadata decodeMetadata(std::span<const uint8_t> blob) {
  MetadataReader reader(blob);
  readHeader(reader, blob);
  Metadata metadata;
  metadata.worker.workerId = reader.fixed(8, "worker id");
  const std::span<const uint8_t> name =
      reader.raw(reader.number("length of the name", 1, kMaxAgentName), "name");
  metadata.worker.agentName.assign(name.begin(), name.end());
  if (!isPrintable(metadata.worker.agentName)) reader.refuse("a name that is not printable");
  const uint64_t numLayouts = reader.number("layouts", 0, kMaxLayoutsOfBlob);
  if (blob.size() > metadataLimit(numLayouts)) reader.refuse("it is longer than its layouts can be");
  const uint64_t numTables = reader.number("tables", numLayouts == 0 ? 0 : 1, numLayouts);
  std::vector<Table> tables;
  uint64_t layersLeft = kMaxLayersOfBlob;
  for (uint64_t i = 0; i < numTables; ++i) tables.push_back(readTable(reader, layersLeft));
  layersLeft = kMaxLayersOfBlob;
  uint32_t minId = 0;
  for (uint64_t i = 0; i < numLayouts; ++i) {
    metadata.layouts.push_back(readLayout(reader, metadata.worker, tables, {minId, layersLeft}));
    minId = metadata.layouts.back()->handle.layoutId + 1U;
  }
  reader.end();
  // Whatever else could be encoded in two forms.
  if (encodeMetadata(metadata) != std::vector(blob.begin(), blob.end()))
    reader.refuse("it is not the one encoding of what it says");
  return metadata;
}

}  // namespace railrunner
