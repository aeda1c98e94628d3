#include "cache/workspace.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

class WorkspaceTest : public testing::TestWithParam<kernels::MemoryKind> {};

INSTANTIATE_TEST_SUITE_P(Places, WorkspaceTest, AllPlaces(), PlaceName);

TEST_P(WorkspaceTest, GivesAlignedMemoryOfTheSizeAskedFor) {
  QVG_SKIP_WITHOUT(GetParam());
  Workspace workspace(GetParam());
  for (const size_t bytes : {size_t{1}, size_t{64}, size_t{1000}}) {
    const absl::Span<uint8_t> memory = *workspace.Get(bytes);
    EXPECT_EQ(memory.size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 64, 0u);
    Place(GetParam()).Fill(memory, 1);
  }
  EXPECT_EQ(workspace.bytes(), 1024u);
}

TEST_P(WorkspaceTest, SmallerRequestsReuseTheMemory) {
  QVG_SKIP_WITHOUT(GetParam());
  Workspace workspace(GetParam());
  const uint8_t* data = workspace.Get(500)->data();
  EXPECT_EQ(workspace.Get(20)->data(), data);
  EXPECT_EQ(workspace.Get(512)->data(), data);
  EXPECT_EQ(workspace.bytes(), 512u);
}

TEST_P(WorkspaceTest, EmptyRequestTakesNothing) {
  QVG_SKIP_WITHOUT(GetParam());
  Workspace workspace(GetParam());
  EXPECT_TRUE(workspace.Get(0)->empty());
  EXPECT_EQ(workspace.bytes(), 0u);
}

TEST(DeviceWorkspaceTest, MoreThanTheDeviceHasIsRefused) {
  QVG_SKIP_WITHOUT(kernels::MemoryKind::kDevice);
  Workspace workspace(kernels::MemoryKind::kDevice);
  EXPECT_EQ(workspace.Get(size_t{1} << 45).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(workspace.Get(64).ok());
}

}  // namespace
}  // namespace qvg
