#include "cache/workspace.h"

#include <cstdint>
#include <cstring>

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(WorkspaceTest, GivesAlignedMemoryOfTheSizeAskedFor) {
  Workspace workspace;
  for (const size_t bytes : {size_t{1}, size_t{64}, size_t{1000}}) {
    const absl::Span<uint8_t> memory = *workspace.Get(bytes);
    EXPECT_EQ(memory.size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 64, 0u);
    std::memset(memory.data(), 1, memory.size());
  }
  EXPECT_EQ(workspace.bytes(), 1024u);
}

TEST(WorkspaceTest, SmallerRequestsReuseTheMemory) {
  Workspace workspace;
  const uint8_t* data = workspace.Get(500)->data();
  EXPECT_EQ(workspace.Get(20)->data(), data);
  EXPECT_EQ(workspace.Get(512)->data(), data);
  EXPECT_EQ(workspace.bytes(), 512u);
}

TEST(WorkspaceTest, EmptyRequestTakesNothing) {
  Workspace workspace;
  EXPECT_TRUE(workspace.Get(0)->empty());
  EXPECT_EQ(workspace.bytes(), 0u);
}

}  // namespace
}  // namespace qvg
