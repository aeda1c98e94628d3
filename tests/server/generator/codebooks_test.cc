#include "server/generator/codebooks.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cache/codec/random_opq_tables.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

KvLayout Layout() {
  KvLayout layout;
  layout.heads = 2;
  layout.head_dim = 64;
  layout.tokens_per_chunk = 128;
  layout.window_chunks = {3, 0, 3, 0};
  return layout;
}

class CodebooksTest : public ::testing::Test {
 protected:
  CodebooksTest()
      : path_(::testing::TempDir() + "codebooks_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name() +
              ".safetensors"),
        tables_(RandomOpqTables(2, 2, 64, 1)) {}
  ~CodebooksTest() override { std::filesystem::remove(path_); }

  SafetensorsFile WriteAndOpen() {
    const absl::Status status =
        WriteCodebooks(path_, *tables_, Layout(), {{"model", "test"}});
    EXPECT_TRUE(status.ok()) << status;
    return *SafetensorsFile::Open(path_);
  }

  std::string path_;
  std::unique_ptr<OpqTables> tables_;
};

TEST_F(CodebooksTest, ComeBackBitForBit) {
  const SafetensorsFile file = WriteAndOpen();
  EXPECT_TRUE(HasCodebooks(file.contents()));
  EXPECT_EQ(file.contents().metadata.at("model"), "test");
  EXPECT_NE(file.contents().Find("opq.1.k.rotation"), nullptr);
  EXPECT_NE(file.contents().Find("opq.3.v.codebook"), nullptr);
  EXPECT_EQ(file.contents().tensors.size(), 12);
  const auto read = ReadCodebooks(file.contents(), Layout());
  ASSERT_TRUE(read.ok()) << read.status();
  for (int i = 0; i < 4; ++i) {
    const kernels::ProductTables a = tables_->View(i / 2, i % 2);
    const kernels::ProductTables b = (*read)->View(i / 2, i % 2);
    EXPECT_TRUE(std::equal(a.rotation, a.rotation + 2 * 64 * 64, b.rotation));
    EXPECT_TRUE(std::equal(a.mean, a.mean + 2 * 64, b.mean));
    EXPECT_TRUE(std::equal(a.codebook, a.codebook + 2 * 64 * 256, b.codebook));
  }
}

TEST_F(CodebooksTest, FitOneModelOnly) {
  const SafetensorsFile file = WriteAndOpen();
  const auto error = [&](auto change) {
    KvLayout layout = Layout();
    change(layout);
    const auto read = ReadCodebooks(file.contents(), layout);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss);
    return std::string(read.status().message());
  };
  EXPECT_THAT(error([](auto& l) {
                l.window_chunks = {0, 0, 3, 0};
              }),
              HasSubstr("no tensor opq.0.k.rotation"));
  EXPECT_THAT(error([](auto& l) { l.heads = 3; }),
              HasSubstr("has shape [2,64,64]; the model needs [3,64,64]"));
  EXPECT_THAT(error([](auto& l) { l.head_dim = 128; }), HasSubstr("shape"));
}

TEST_F(CodebooksTest, DamagedTablesAreRefused) {
  const SafetensorsFile file = WriteAndOpen();
  const auto error = [&](const std::string& name, auto change) {
    Safetensors contents = file.contents();
    for (StoredTensor& tensor : contents.tensors) {
      if (tensor.name == name) change(tensor);
    }
    const auto read = ReadCodebooks(contents, Layout());
    return read.ok() ? "" : std::string(read.status().message());
  };
  std::vector<uint8_t> ones(2 * 64 * 64 * 2, 0xff);
  EXPECT_THAT(error("opq.3.v.rotation",
                    [&](StoredTensor& t) { t.bytes = absl::MakeSpan(ones); }),
              HasSubstr("layers[1].values.rotation: NaN"));
  std::fill(ones.begin(), ones.end(), uint8_t{0x3f});
  EXPECT_THAT(error("opq.1.k.rotation",
                    [&](StoredTensor& t) { t.bytes = absl::MakeSpan(ones); }),
              HasSubstr("not orthogonal"));
  EXPECT_THAT(
      error("opq.1.k.mean", [](StoredTensor& t) { t.dtype = Dtype::kI16; }),
      HasSubstr("opq.1.k.mean is I16"));
}

TEST_F(CodebooksTest, OtherFilesHaveNone) {
  Safetensors file;
  file.tensors.push_back({"opaque", Dtype::kF32, {0}, {}});
  EXPECT_FALSE(HasCodebooks(file));
}

TEST_F(CodebooksTest, WritingNeedsTheLayersOfTheModel) {
  KvLayout layout = Layout();
  layout.window_chunks = {0};
  EXPECT_THAT(
      std::string(WriteCodebooks(path_, *tables_, layout, {}).message()),
      HasSubstr("of 2 layers; the model packs 1"));
}

}  // namespace
}  // namespace qvg
