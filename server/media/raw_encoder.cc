#include <utility>

#include "server/media/encoders.h"

namespace qvg {
namespace {

class RawEncoder : public MediaEncoder {
 public:
  explicit RawEncoder(const MediaSpec& spec) : spec_(spec) {}

  absl::string_view InitSegment() const override { return ""; }

  absl::StatusOr<std::vector<MediaUnit>> Encode(
      absl::Span<const uint8_t> rgb) override {
    if (absl::Status status = CheckFrames(spec_, rgb); !status.ok()) {
      return status;
    }
    std::vector<MediaUnit> units(1);
    units[0].data.assign(rgb.begin(), rgb.end());
    return units;
  }

 private:
  const MediaSpec spec_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MediaEncoder>> NewRawEncoder(
    const MediaSpec& spec) {
  return std::make_unique<RawEncoder>(spec);
}

}  // namespace qvg
