#pragma once

#include <string>
#include <utility>
#include <vector>

#include "test/moe/cuda_high_throughput_calls.h"

// Cases of rows that sources push and of sums that hosts push into slots of their peers.
namespace railrunner::test {

constexpr auto kRank = OutputLayout::kRankMajor;
constexpr auto kExpert = OutputLayout::kExpertMajor;
constexpr auto kFp8 = DispatchDtype::kFp8E4m3;

// Partial sums by their hosts, expert-major: few tokens for many blocks, more ranks than teams, and all choices of a token
// on one rank.
inline void addPushedSums() {
  const auto add = [&](const std::string& what, Setting setting) {
    setting.pushedSums = true;
    cases().push_back({"pushed sums, " + what, [=] { roundTrip(setting); }});
  };
  for (const uint32_t world : {1U, 2U, 3U, 4U, 8U}) {
    add(std::to_string(world) + " ranks", small(world, kExpert));
  }
  Setting setting = small(4, kExpert);
  setting.alignment = 16, setting.weighted = false, setting.skewed = true;
  add("alignment 16, unweighted, skewed", setting);
  setting.processors = 16;
  setting.shape.maxDispatchTokensPerRank = 40;
  add("more blocks than groups of tokens", setting);
  Setting wide = small(2, kExpert);
  wide.shape.hidden = 20001, wide.shape.numTopk = 16, wide.shape.maxDispatchTokensPerRank = 70;
  add("hidden 20001, top 16", wide);
}

// Rows by their sources: in more pieces than one, and by more ranks and blocks than there are tokens for.
inline void addPushed(const std::string& name, OutputLayout layout) {
  const auto add = [&](const std::string& what, const Setting& setting) {
    cases().push_back({name + ", pushed, " + what, [=] { roundTrip(setting); }});
  };
  for (const uint32_t world : {1U, 2U, 3U, 4U, 8U}) {
    Setting setting = small(world, layout);
    setting.pushed = true;
    add(std::to_string(world) + " ranks", setting);
  }
  Setting setting = small(4, layout);
  setting.pushed = true, setting.pushBlocks = 3, setting.pushPieces = 3;
  add("rows in three pieces", setting);
  setting.shape.payload = kFp8;
  add("fp8 in three pieces", setting);
  setting.pushBlocks = 7, setting.pushPieces = 0;
  setting.shape.hidden = 2048;
  add("fp8", setting);
  Setting many = small(8, layout);
  many.pushed = true, many.skewed = true, many.pushBlocks = 5;
  many.shape.maxDispatchTokensPerRank = 30;
  add("8 ranks, few tokens, skewed", many);
  Setting wide = small(2, layout);
  wide.pushed = true;
  wide.shape.hidden = 20001, wide.shape.numTopk = 16, wide.shape.maxDispatchTokensPerRank = 70;
  add("hidden 20001, top 16", wide);
}

// Expert-major rows that are moved while copy engines bring them.
inline void addCopied() {
  const auto add = [&](const std::string& what, Setting setting, Mode mode = Mode::kFused) {
    setting.strategy = ht::Strategy::kAllGather;
    cases().push_back({"expertMajor, copied, " + what, [=] { roundTrip(setting, mode); }});
  };
  for (const uint32_t world : {1U, 2U, 3U, 4U, 8U}) {
    Setting setting = small(world, kExpert);
    setting.gatherPieces = 4;
    add(std::to_string(world) + " ranks", setting);
  }
  Setting setting = small(4, kExpert, kFp8);
  setting.gatherPieces = 8;
  add("fp8", setting);
  setting.shape.payload = DispatchDtype::kBf16;
  add("a layout used again", setting, Mode::kReuse);
  setting.skewed = true, setting.alignment = 16, setting.gatherPieces = 16;
  add("skewed, alignment 16", setting);
}

}  // namespace railrunner::test
