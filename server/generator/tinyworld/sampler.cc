#include "server/generator/tinyworld/sampler.h"

namespace qvg::tinyworld {
namespace {

constexpr float kTwo[] = {0.96f, 0.75f};
constexpr float kThree[] = {0.96f, 0.85f, 0.55f};
constexpr float kFour[] = {0.96f, 0.88f, 0.75f, 0.5f};
constexpr float kSix[] = {0.96f, 0.9f, 0.8f, 0.68f, 0.52f, 0.35f};

}  // namespace

absl::Span<const float> SamplingLevels(int steps) {
  switch (steps) {
    case 2:
      return kTwo;
    case 3:
      return kThree;
    case 4:
      return kFour;
    case 6:
      return kSix;
    default:
      return {};
  }
}

}  // namespace qvg::tinyworld
