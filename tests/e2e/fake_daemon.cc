// qvgd around a trivial picture source, for builds without a model.

#include <memory>

#include "absl/time/clock.h"
#include "server/startup.h"
#include "tests/fakes/fake_video_model.h"

namespace qvg {
namespace {

// Takes as long as a model of its own would, so that tests meet sessions in
// the middle of their work.
class PacedModel : public testing::FakeVideoModel {
 public:
  void Advance(absl::Span<ChunkJob> jobs) override {
    absl::SleepFor(absl::Milliseconds(10));
    FakeVideoModel::Advance(jobs);
  }
};

}  // namespace
}  // namespace qvg

int main(int argc, char** argv) {
  qvg::ModelRegistry registry;
  registry.Add("tinyworld", [](const qvg::ModelOptions&) {
    return std::make_unique<qvg::PacedModel>();
  });
  return qvg::RunServer(argc, argv, registry);
}
