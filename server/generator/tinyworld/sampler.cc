#include "server/generator/tinyworld/sampler.h"

namespace qvg::tinyworld {
namespace {

constexpr float kTwo[] = {1.0f, 0.8f};
constexpr float kThree[] = {1.0f, 0.88f, 0.6f};
constexpr float kFour[] = {1.0f, 0.93f, 0.8f, 0.55f};
constexpr float kSix[] = {1.0f, 0.94f, 0.85f, 0.72f, 0.55f, 0.35f};

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
