#include "cache/layer_groups.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

KvLayout LayoutOf(std::vector<int> windows) {
  KvLayout layout;
  layout.window_chunks = std::move(windows);
  return layout;
}

TEST(LayerGroupsTest, ModelWithoutLayers) {
  const LayerGroups groups(LayoutOf({}));
  EXPECT_THAT(groups.global.layers, IsEmpty());
  EXPECT_THAT(groups.windows, IsEmpty());
}

TEST(LayerGroupsTest, TinyWorld) {
  const LayerGroups groups(LayoutOf({3, 0, 3, 0, 3, 0}));
  EXPECT_THAT(groups.global.layers, ElementsAre(1, 3, 5));
  ASSERT_EQ(groups.windows.size(), 1u);
  EXPECT_EQ(groups.windows[0].window_chunks, 3);
  EXPECT_THAT(groups.windows[0].layers, ElementsAre(0, 2, 4));
}

TEST(LayerGroupsTest, EveryWindowHasItsGroup) {
  const LayerGroups groups(LayoutOf({5, 1, 5, 0, 1}));
  ASSERT_EQ(groups.windows.size(), 2u);
  EXPECT_THAT(groups.windows[0].layers, ElementsAre(0, 2));
  EXPECT_THAT(groups.windows[1].layers, ElementsAre(1, 4));
  EXPECT_EQ(groups.places[4].window, 1);
  EXPECT_EQ(groups.places[4].index, 1);
  EXPECT_EQ(groups.places[3].window, -1);
  EXPECT_EQ(groups.places[3].index, 0);
}

}  // namespace
}  // namespace qvg
