#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/attention.h"
#include "kernels/thread_pool.h"
#include "tests/kernels/attention_problem.h"
#include "tests/kernels/on_device.h"

namespace qvg::kernels {
namespace {

constexpr AttentionFunction kVersions[] = {AttentionReference, Attention};

TEST(AttentionWorkspace, IsConstantInTheHistoryAndGrowsWithTheWorkers) {
  Problem small(4, 64, 128);
  small.Add(Product(64), 1);
  Problem large(4, 64, 128);
  for (int i = 0; i < 20; ++i) large.Add(Product(64), 1000);
  SerialFor serial;
  ThreadPool two(2);
  EXPECT_GT(AttentionWorkspaceBytes(small.Args(), serial), 0);
  EXPECT_EQ(AttentionWorkspaceBytes(small.Args(), serial),
            AttentionWorkspaceBytes(large.Args(), serial));
  EXPECT_EQ(AttentionWorkspaceBytes(small.Args(), two),
            2 * AttentionWorkspaceBytes(small.Args(), serial));
}

// Problems of one call on a device share what the call has once.
TEST(AttentionCudaCheck, RefusesProblemsThatDiffer) {
  if (AttentionOnDevice() == nullptr) GTEST_SKIP() << "built without CUDA";
  Problem one(2, 64, 9);
  one.Add(Product(64), 30);
  Problem turned(2, 64, 9);
  turned.Add(Product(64), 30);
  turned.SetRotary(0);
  float out = 0;
  AttentionArgs problems[] = {one.Args(), turned.Args()};
  for (AttentionArgs& args : problems) args.out = &out;
  const Error rotary = AttentionCuda(problems, 2, nullptr, 0, nullptr);
  EXPECT_EQ(rotary.code, Error::Code::kInvalidArgument);
  EXPECT_THAT(rotary.message, testing::HasSubstr("rotary"));
  problems[1] = problems[0];
  problems[1].scale *= 2;
  EXPECT_EQ(AttentionCuda(problems, 2, nullptr, 0, nullptr).code,
            Error::Code::kInvalidArgument);
}

// What a caller may get wrong, and the argument that the message names.
struct BadCall {
  std::string name;
  std::string message;
  std::function<void(AttentionArgs&, KvSegment&)> spoil;
};

std::ostream& operator<<(std::ostream& out, const BadCall& call) {
  return out << call.name;
}

class AttentionRefusesTest : public testing::TestWithParam<BadCall> {};

TEST_P(AttentionRefusesTest, NamesTheArgument) {
  Problem problem(2, 64, 3);
  problem.Add(Product(64), Residual(64, 2, 64, 1, 16), 10);
  SerialFor serial;
  AttentionArgs args = problem.Args();
  std::vector<float> out(3 * problem.token_stride());
  args.out = out.data();
  const size_t bytes = AttentionWorkspaceBytes(args, serial);
  const auto workspace = AlignedBytes(bytes);
  GetParam().spoil(args, problem.segments()[0]);
  for (const AttentionFunction attend : kVersions) {
    const Error error = attend(args, workspace.get(), bytes, serial);
    EXPECT_EQ(error.code, Error::Code::kInvalidArgument);
    EXPECT_THAT(error.message, testing::HasSubstr(GetParam().message));
  }
}

const BadCall kBadCalls[] = {
    {"NoHeads", "heads:", [](auto& args, auto&) { args.heads = 0; }},
    {"HeadDim", "head_dim:", [](auto& args, auto&) { args.head_dim = 80; }},
    {"Queries", "queries:", [](auto& args, auto&) { args.queries = -1; }},
    {"NoQ", "q, out:", [](auto& args, auto&) { args.q = nullptr; }},
    {"NoOut", "q, out:", [](auto& args, auto&) { args.out = nullptr; }},
    {"NoSegments", "not a single token",
     [](auto& args, auto&) { args.num_segments = 0; }},
    {"NullSegments", "segments: null",
     [](auto& args, auto&) { args.segments = nullptr; }},
    {"NoTokens", "not a single token",
     [](auto&, auto& s) { s.keys.tokens = s.values.tokens = 0; }},
    {"Tokens", "tokens of keys and values",
     [](auto&, auto& s) { --s.keys.tokens; }},
    {"Heads", "heads differ", [](auto&, auto& s) { s.keys.heads = 1; }},
    {"Dim", "head_dim differs",
     [](auto&, auto& s) { s.values.codec.head_dim = 128; }},
    {"Parts", "parts:", [](auto&, auto& s) { s.keys.codec.parts = 5; }},
    {"Tables", "tables:", [](auto&, auto& s) { s.keys.tables.mean = nullptr; }},
    {"Bits", "bits:", [](auto&, auto& s) { s.values.codec.bits = 3; }},
    {"Block", "block:", [](auto&, auto& s) { s.values.codec.block = 8; }},
    {"Stages", "stages:", [](auto&, auto& s) { s.values.codec.stages = 5; }},
    {"Centroids",
     "centroids:", [](auto&, auto& s) { s.values.codec.centroids = 257; }},
    {"Codes", "codes", [](auto&, auto& s) { s.values.codes = nullptr; }},
    {"Ids", "ids", [](auto&, auto& s) { s.values.ids = nullptr; }},
};

INSTANTIATE_TEST_SUITE_P(Calls, AttentionRefusesTest,
                         testing::ValuesIn(kBadCalls),
                         [](const auto& tested) { return tested.param.name; });

TEST(AttentionRefuses, WorkspaceThatIsSmallOrUnaligned) {
  Problem problem(2, 64, 3);
  problem.Add(Product(64), 10);
  SerialFor serial;
  AttentionArgs args = problem.Args();
  std::vector<float> out(3 * problem.token_stride());
  args.out = out.data();
  const size_t bytes = AttentionWorkspaceBytes(args, serial);
  const auto workspace = AlignedBytes(bytes + 64);
  for (const AttentionFunction attend : kVersions) {
    EXPECT_THAT(attend(args, workspace.get(), bytes - 1, serial).message,
                testing::HasSubstr("workspace_bytes"));
    EXPECT_THAT(
        attend(args, static_cast<char*>(workspace.get()) + 4, bytes, serial)
            .message,
        testing::HasSubstr("aligned"));
    EXPECT_THAT(attend(args, nullptr, bytes, serial).message,
                testing::HasSubstr("workspace"));
  }
}

TEST(Attention, NoQueriesIsNoWork) {
  Problem problem(2, 64, 0);
  problem.Add(Product(64), 10);
  for (const AttentionFunction attend : kVersions) problem.Run(attend);
}

}  // namespace
}  // namespace qvg::kernels
