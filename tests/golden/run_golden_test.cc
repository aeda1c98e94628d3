#include "tests/golden/run_golden.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/generator/checkpoint/safetensors.h"

namespace qvg::golden {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kGolden[] = "tests/golden/qvg";

// One change to one case that must not go unnoticed.
struct Damage {
  std::string golden;
  std::string tensor;  // whose first element changes; empty: case.json
  std::string text;    // in case.json, everywhere, and what replaces it
  std::string replacement;
  std::string failure;             // what the report must say
  std::vector<std::string> needs;  // other cases
};

void PrintTo(const Damage& damage, std::ostream* os) {
  *os << damage.golden << " " << damage.tensor << damage.text;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// A golden set of a few cases.
class GoldenSetTest : public ::testing::Test {
 protected:
  GoldenSetTest() {
    std::string name =
        ::testing::UnitTest::GetInstance()->current_test_info()->name();
    for (char& c : name) c = c == '/' ? '_' : c;
    root_ = fs::path(::testing::TempDir()) / ("run_golden_" + name);
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~GoldenSetTest() override { fs::remove_all(root_); }

  void Copy(const std::string& golden) {
    fs::create_directories(root_ / golden);
    fs::copy(fs::path(kGolden) / golden, root_ / golden,
             fs::copy_options::recursive);
  }

  // Changes the lowest bits of a tensor's first element.
  void DamageTensor(const std::string& golden, const std::string& tensor) {
    const fs::path path = root_ / golden / "data.safetensors";
    std::string content = ReadFile(path);
    const Safetensors parsed = *ParseSafetensors(absl::MakeConstSpan(
        reinterpret_cast<const uint8_t*>(content.data()), content.size()));
    const StoredTensor* found = parsed.Find(tensor);
    ASSERT_NE(found, nullptr);
    const size_t at =
        reinterpret_cast<const char*>(found->bytes.data()) - content.data();
    // The highest byte of a float, else the lowest.
    const bool real =
        found->dtype == Dtype::kF32 || found->dtype == Dtype::kF64;
    content[at + (real ? ElementBytes(found->dtype) - 1 : 0)] ^= 0x11;
    WriteFile(path, content);
  }

  void DamageJson(const std::string& golden, const std::string& text,
                  const std::string& replacement) {
    const fs::path path = root_ / golden / "case.json";
    std::string content = ReadFile(path);
    size_t at = content.find(text);
    ASSERT_NE(at, std::string::npos);
    for (; at != std::string::npos; at = content.find(text, at)) {
      content.replace(at, text.size(), replacement);
      at += replacement.size();
    }
    WriteFile(path, content);
  }

  bool Run() {
    std::ostringstream report, failures;
    const bool ok = RunGolden(root_, &report, &failures);
    report_ = report.str();
    failures_ = failures.str();
    return ok;
  }

  fs::path root_;
  std::string report_;
  std::string failures_;
};

class RunGoldenTest : public GoldenSetTest,
                      public ::testing::WithParamInterface<Damage> {};

INSTANTIATE_TEST_SUITE_P(
    Damages, RunGoldenTest,
    ::testing::Values(
        Damage{"inputs/tiny", "", "accept", "reject", "accepted", {}},
        Damage{"inputs/reject_nan",
               "",
               "\"reject\"",
               "\"accept\"",
               "NaN or infinity",
               {}},
        Damage{
            "residual_int2/d64", "codes_b16", "", "", "quantize_b16 codes", {}},
        Damage{"residual_int2/d64", "scales_b64", "", "", "b64 scales", {}},
        Damage{"residual_int4/d64", "asym_zeros_b16", "", "", "zeros", {}},
        Damage{"residual_int4/d64",
               "asym_codes_b64",
               "",
               "",
               "asym_quantize_b64 codes",
               {}},
        Damage{"kivi/v_d64_channel_g32_int2",
               "codes",
               "",
               "",
               "codes: 1 of",
               {"inputs/v_d64"}},
        Damage{"kivi/k_d64_token_g40_int4",
               "scale",
               "",
               "",
               "scale: 1 of",
               {"inputs/k_d64"}},
        Damage{"kivi/k_d64_token_g40_int4",
               "decoded",
               "",
               "",
               "decoded: 1 of",
               {"inputs/k_d64"}},
        Damage{"kivi/v_d64_channel_g32_int2",
               "",
               "\"channel\"",
               "\"token\"",
               "zero",
               {"inputs/v_d64"}},
        Damage{"quarot/k_d64_int2", "codes", "", "", "codes", {"inputs/k_d64"}},
        Damage{"quarot/k_d64_int2", "zero", "", "", "zero", {"inputs/k_d64"}},
        Damage{"quarot/k_d64_int2",
               "rotated",
               "",
               "",
               "rotated",
               {"inputs/k_d64"}},
        Damage{"quarot/k_d64_int2",
               "",
               "\"rel_l2\": 0.4",
               "\"rel_l2\": 0.5",
               "rel_l2",
               {"inputs/k_d64"}},
        Damage{"assign/ties_d64", "labels", "", "", "labels: 1 of 96", {}},
        Damage{"assign/v_d64_k32", "best", "", "", "squared distance", {}},
        Damage{"kmeans/integers_early_stop",
               "official_labels_1",
               "",
               "",
               "1 rounds: labels",
               {}},
        Damage{"kmeans/integers_early_stop",
               "official_centroids_2",
               "",
               "",
               "2 rounds: centroids",
               {}},
        Damage{"kmeans/integers_early_stop",
               "",
               "\"official_iters\": 1",
               "\"official_iters\": 2",
               "stopped after 1",
               {}},
        Damage{"kmeans/k_d64_k32",
               "",
               "inertia\": [\n    1",
               "inertia\": [\n    -1",
               "inertia",
               {}},
        Damage{"kmeans/k_d64_k32",
               "exact_labels_1",
               "",
               "",
               "labels after 1 round",
               {}},
        Damage{"kmeans/stop_with_one_change",
               "centroids",
               "",
               "",
               "centroids: 1 of",
               {}},
        Damage{
            "kmeans/stop_with_one_change", "row_labels", "", "", "labels", {}},
        Damage{"qvg/tiny",
               "decoded_int2",
               "",
               "",
               "decode int2: 1 of",
               {"inputs/tiny"}},
        Damage{"qvg/prime_tokens",
               "codes_int4",
               "",
               "",
               "decode int4",
               {"inputs/prime_tokens"}},
        Damage{"qvg/prime_tokens",
               "codes_int2",
               "",
               "",
               "quantize int2 codes",
               {"inputs/prime_tokens"}},
        Damage{"qvg/prime_tokens",
               "scales_int2",
               "",
               "",
               "quantize int2 scales",
               {"inputs/prime_tokens"}},
        Damage{"qvg/prime_tokens",
               "",
               "\"bytes\": 4406",
               "\"bytes\": 4407",
               "bytes int2",
               {"inputs/prime_tokens"}},
        Damage{"qvg/prime_tokens",
               "",
               "\"rel_l2_limit\": 0.658",
               "\"rel_l2_limit\": 0.558",
               "fit int2",
               {"inputs/prime_tokens"}},
        Damage{"qvg/k_d64",
               "decoded_rows_int4",
               "",
               "",
               "int4, rows",
               {"inputs/k_d64"}},
        Damage{"qvg/k_d64",
               "",
               "\"decoded_sha256\": \"",
               "\"decoded_sha256\": \"0",
               "SHA-256",
               {"inputs/k_d64"}},
        Damage{"qvg_pro/tiny",
               "centroids",
               "",
               "",
               "decode int4",
               {"inputs/tiny"}},
        Damage{"qvg_pro/tiny",
               "",
               "\"heads\": [\n  0,\n  1",
               "\"heads\": [\n  0,\n  0",
               "its shape",
               {"inputs/tiny"}},
        Damage{"qvg_pro/tiny",
               "ids",
               "",
               "",
               "ids: not a centroid",
               {"inputs/tiny"}},
        Damage{"rtn/k_d64",
               "codes_int2_b16",
               "",
               "",
               "int2_b16 codes",
               {"inputs/k_d64"}},
        Damage{"rtn/k_d64",
               "scales_int4_b64",
               "",
               "",
               "int4_b64 scales",
               {"inputs/k_d64"}},
        Damage{"rtn/k_d64",
               "decoded_int4_b16",
               "",
               "",
               "int4_b16 decoded",
               {"inputs/k_d64"}},
        Damage{"attention/d64_one_query",
               "out",
               "",
               "",
               "fast out: off by",
               {"inputs/k_d64", "inputs/v_d64", "qvg/k_d64", "qvg/v_d64"}},
        Damage{"attention/d64_one_query",
               "lse",
               "",
               "",
               "plain lse: off by",
               {"inputs/k_d64", "inputs/v_d64", "qvg/k_d64", "qvg/v_d64"}}));

TEST_P(RunGoldenTest, NoticesDamage) {
  Copy(GetParam().golden);
  for (const std::string& name : GetParam().needs) Copy(name);
  ASSERT_TRUE(Run()) << failures_;
  if (GetParam().tensor.empty()) {
    DamageJson(GetParam().golden, GetParam().text, GetParam().replacement);
  } else {
    DamageTensor(GetParam().golden, GetParam().tensor);
  }
  EXPECT_FALSE(Run());
  EXPECT_THAT(failures_, HasSubstr(GetParam().golden + ": "));
  EXPECT_THAT(failures_, HasSubstr(GetParam().failure));
}

TEST_F(GoldenSetTest, ReportsALineForEachGroup) {
  Copy("assign/ties_d64");
  Copy("inputs/reject_nan");
  fs::create_directories(root_ / "unheard" / "case");
  WriteFile(root_ / "README.md", "");
  EXPECT_TRUE(Run()) << failures_;
  EXPECT_EQ(report_,
            "assign: 2 passed, 0 failed\n"
            "inputs: 13 passed, 0 failed\n"
            "unheard: not known, skipped\n");
  EXPECT_EQ(failures_, "");
}

TEST_F(GoldenSetTest, NothingToCheckIsAFailure) {
  fs::create_directories(root_ / "unheard");
  EXPECT_FALSE(Run());
  EXPECT_THAT(failures_, HasSubstr("no known group"));
  fs::remove_all(root_);
  EXPECT_FALSE(Run());
  EXPECT_THAT(failures_, HasSubstr("is no folder"));
}

TEST_F(GoldenSetTest, UnreadableCasesFailAndTheOthersGoOn) {
  Copy("assign/ties_d64");
  Copy("assign/v_d64_k32");
  Copy("assign/v_d128_k16");
  fs::remove(root_ / "assign/ties_d64/case.json");
  WriteFile(root_ / "assign/v_d64_k32/data.safetensors", "short");
  EXPECT_FALSE(Run());
  EXPECT_EQ(report_, "assign: 2 passed, 2 failed\n");
  EXPECT_THAT(failures_, HasSubstr("assign/ties_d64: "));
  EXPECT_THAT(failures_, HasSubstr("cannot be opened"));
  EXPECT_THAT(failures_, HasSubstr("assign/v_d64_k32: "));
  Copy("qvg/prime_tokens");  // without its input
  EXPECT_FALSE(Run());
  EXPECT_THAT(report_, HasSubstr("qvg: 0 passed, 1 failed"));
}

}  // namespace
}  // namespace qvg::golden
