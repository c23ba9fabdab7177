#pragma once

// What moe_cuda_test runs: layouts, payloads and phases, paths between ranks, and planted faults.
#include <cstdint>
#include <cstring>
#include <iterator>
#include <vector>

#include "moe/bench.h"

namespace railrunner::test {

using moe::DispatchDtype;
using moe::OutputLayout;
using moe::Shape;
using moe::TestSeam;

struct Case {
  const char* name;
  Shape shape;
  bool split = false;
  TestSeam seam{};
  uint32_t nodes = 1;     // emulated: ranks of different ones meet over the network. 0 = each rank is one
  bool forwards = false;  // a token crosses once per node
  uint32_t seamRank = 1;
};

inline Shape smallShape() {
  Shape s;
  s.numExperts = 32;
  s.numTopk = 4;
  s.hidden = 640;
  s.maxDispatchTokensPerRank = 24;
  return s;
}

inline Shape decodeShape() {
  Shape s;
  s.numExperts = 256;
  s.numTopk = 8;
  s.hidden = 7168;
  s.maxDispatchTokensPerRank = 128;
  return s;
}

// Every peer shares memory.
inline void addShared(std::vector<Case>& list) {
  const Shape s = smallShape();
  list.push_back({"bf16 expertMajor", s});
  list.push_back({"split phases", s, true});
  Shape other = s;
  other.outputLayout = OutputLayout::kRankMajor;
  list.push_back({"bf16 rankMajor", other});
  other.zeroCopy = true;
  list.push_back({"bf16 rankMajor zeroCopy", other});
  other = s;
  other.dedup = false;
  list.push_back({"bf16 dedup off", other});
  other = s;
  other.payload = DispatchDtype::kFp8E4m3;
  list.push_back({"fp8 expertMajor", other});
  other.roundScale = true;
  other.outputLayout = OutputLayout::kRankMajor;
  list.push_back({"fp8 rankMajor roundScale", other});
  other = s;
  other.hidden = 20001;  // padded, and cut into slices
  other.numTopk = 16;
  list.push_back({"hidden 20001, top 16", other});
  other.hidden = 1024;
  other.numExperts = 512;
  other.numTopk = 22;
  list.push_back({"hidden 1024, top 22", other});
  other.numTopk = 32;  // every lane of a warp holds a choice
  list.push_back({"top 32", other});
  other.dedup = false;
  list.push_back({"top 32, dedup off", other});
  list.push_back({"decode 128 x 7168", decodeShape()});
}

// Over the network: between two nodes, between all ranks, and forwarded inside two nodes.
inline void addNetworked(std::vector<Case>& list) {
  const Shape s = smallShape();
  const auto add = [&](const char* name, const Shape& shape, uint32_t nodes, bool split = false) {
    Case c{name, shape, split};
    c.nodes = nodes;
    c.forwards = std::strncmp(name, "forwarded", 9) == 0;
    list.push_back(c);
  };
  Shape off = s;
  off.dedup = false;
  off.payload = DispatchDtype::kFp8E4m3;
  Shape wide = s;
  wide.payload = DispatchDtype::kFp8E4m3;
  wide.hidden = 20001;
  Shape byRank = s;
  byRank.outputLayout = OutputLayout::kRankMajor;
  add("two nodes, bf16", s, 2);
  add("two nodes, split phases", s, 2, true);
  add("two nodes, fp8 dedup off", off, 2);
  add("two nodes, fp8 hidden 20001", wide, 2);
  add("two nodes, rankMajor", byRank, 2);
  add("network alone, bf16", s, 0);
  add("network alone, split phases", s, 0, true);
  add("network alone, fp8 dedup off", off, 0);
  add("network alone, fp8 hidden 20001", wide, 0);
  add("network alone, rankMajor", byRank, 0);
  Shape many = wide;
  many.maxDispatchTokensPerRank = 256;  // more triggers than a ring holds
  add("network alone, full rings", many, 0);
  add("forwarded, bf16", s, 2);
  add("forwarded, split phases", s, 2, true);
  add("forwarded, fp8 hidden 20001", wide, 2);
  byRank.payload = DispatchDtype::kFp8E4m3;
  add("forwarded, fp8 rankMajor", byRank, 2);
  add("forwarded, decode 128 x 7168", decodeShape(), 2);
}

inline void addFaults(std::vector<Case>& list) {
  Case corrupt{"a corrupted message", smallShape()};
  corrupt.seam.corruptFromEpoch = 1;
  list.push_back(corrupt);
  Case early{"flags published before their rows", decodeShape()};
  early.seam.publishWithoutRelease = true;
  list.push_back(early);
  Case silent{"a silent rank", smallShape()};
  silent.seam.silentFromEpoch = 3;
  list.push_back(silent);
  Case passing = silent;
  passing.name = "a silent rank among those that forward";
  passing.forwards = true;
  passing.nodes = 2;
  passing.seamRank = 0;
  list.push_back(passing);
  corrupt.name = "a message corrupted before the network";
  silent.name = "a rank silent to the network";
  corrupt.nodes = silent.nodes = 0;
  list.push_back(corrupt);
  list.push_back(silent);
}

// Words of one rank's plans that are out of bounds. Its peers, and it, must end the point, and no more than it.
inline void addWrongWords(std::vector<Case>& list) {
  static constexpr const char* kNames[] = {"a wrong number of tokens", "a wrong message count",
                                           "a wrong count of an expert", "a wrong place of a row",
                                           "a wrong copy of a message"};
  for (uint32_t word = 1; word <= std::size(kNames); ++word) {
    Case wrong{kNames[word - 1], smallShape()};
    wrong.seam.wrongWord = word;
    list.push_back(wrong);
  }
  Case far{"a wrong number of tokens over the network", smallShape()};
  far.seam.wrongWord = 1;
  far.nodes = 0;
  list.push_back(far);
  far.name = "a wrong place of a row over the network";
  far.seam.wrongWord = 4;
  list.push_back(far);
  far.name = "a wrong place of a row among those that forward";
  far.nodes = 2;
  far.forwards = true;
  list.push_back(far);
}

inline std::vector<Case> moeCudaCases() {
  std::vector<Case> list;
  addShared(list);
  addNetworked(list);
  addFaults(list);
  addWrongWords(list);
  return list;
}

}  // namespace railrunner::test
