#pragma once

#include <memory>
#include <vector>

#include "test/simulation/engine.h"

namespace railrunner::simulation {

// What must hold of a world that has ended, whatever happened in it; violations go to the scheduler.
void checkOutcomes(const Plan& plan, const std::vector<std::unique_ptr<RankEngine>>& engines);

}  // namespace railrunner::simulation
