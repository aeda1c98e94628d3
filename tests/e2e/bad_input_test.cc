// Every way to break a rule of the wire gets its status, and another session
// never notices.

#include <functional>

#include "absl/strings/str_cat.h"
#include "client/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/daemon.h"
#include "tests/e2e/raw_call.h"

namespace qvg::e2e {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

std::string Start(std::function<void(v1::Start&)> change = nullptr) {
  v1::StreamRequest request;
  request.mutable_start()->set_max_chunks(2);
  if (change != nullptr) change(*request.mutable_start());
  return request.SerializeAsString();
}

std::string Codec(std::function<void(v1::CacheSpec&)> change) {
  return Start([&](v1::Start& start) { change(*start.mutable_cache_spec()); });
}

std::string Action(uint64_t event_id,
                   std::function<void(v1::Action&)> change = nullptr) {
  v1::StreamRequest request;
  v1::Action& action = *request.mutable_action();
  action.set_event_id(event_id);
  v1::Control& control = *action.add_controls();
  control.set_name("forward");
  control.set_frames(4);
  if (change != nullptr) change(action);
  return request.SerializeAsString();
}

std::string Control(const std::string& name, uint32_t frames) {
  return Action(1, [&](v1::Action& action) {
    action.mutable_controls(0)->set_name(name);
    action.mutable_controls(0)->set_frames(frames);
  });
}

std::string Prompt(uint64_t event_id, const std::string& text) {
  v1::StreamRequest request;
  request.mutable_prompt()->set_event_id(event_id);
  request.mutable_prompt()->set_text(text);
  return request.SerializeAsString();
}

std::string Credit(uint32_t chunks) {
  v1::StreamRequest request;
  request.mutable_credit()->set_chunks(chunks);
  return request.SerializeAsString();
}

std::string Ack(uint64_t chunk) {
  v1::StreamRequest request;
  request.mutable_ack()->set_chunk_index(chunk);
  return request.SerializeAsString();
}

struct BadInput {
  const char* name;
  std::vector<std::string> messages;
  StatusCode code;
  const char* message;  // part of what the status says
};

// A start that asks for what there is not.
std::vector<BadInput> BadStarts() {
  return {
      {"UnknownModel",
       {Start([](v1::Start& s) { s.set_model("sora"); })},
       StatusCode::kNotFound,
       "sora"},
      {"UnknownCodec",
       {Codec([](v1::CacheSpec& c) { c.set_codec("zip"); })},
       StatusCode::kNotFound,
       "zip"},
      {"CodecCombination",
       {Codec([](v1::CacheSpec& c) {
         c.set_codec("bf16");
         c.set_bits(2);
       })},
       StatusCode::kInvalidArgument,
       "bits"},
      {"Steps",
       {Start([](v1::Start& s) { s.set_steps(100000); })},
       StatusCode::kInvalidArgument,
       "steps"},
      {"MaxChunks",
       {Start([](v1::Start& s) { s.set_max_chunks(4000000000); })},
       StatusCode::kInvalidArgument,
       "max_chunks"},
      {"FirstCredit",
       {Start([](v1::Start& s) { s.set_first_credit(1000000); })},
       StatusCode::kInvalidArgument,
       "credit"},
      {"OutputFormat",
       {Start([](v1::Start& s) {
         s.set_output_format(static_cast<v1::OutputFormat>(77));
       })},
       StatusCode::kInvalidArgument,
       "output_format"},
      {"PromptTooLong",
       {Start([](v1::Start& s) { s.set_prompt(std::string(100000, 'p')); })},
       StatusCode::kInvalidArgument,
       "prompt"},
      {"LaterPromptTooLong",
       {Start(), Prompt(1, std::string(100000, 'p'))},
       StatusCode::kInvalidArgument,
       "prompt"},
  };
}

// Messages out of order and events that break a rule.
std::vector<BadInput> BadEvents() {
  return {
      {"SecondStart",
       {Start(), Start()},
       StatusCode::kFailedPrecondition,
       "start"},
      {"ActionBeforeStart",
       {Action(1)},
       StatusCode::kFailedPrecondition,
       "start"},
      {"CreditBeforeStart",
       {Credit(1)},
       StatusCode::kFailedPrecondition,
       "start"},
      {"EventIdReused",
       {Start(), Action(7), Action(7)},
       StatusCode::kAlreadyExists,
       "event_id"},
      {"EventIdZero",
       {Start(), Action(0)},
       StatusCode::kInvalidArgument,
       "event_id"},
      {"UnknownControl",
       {Start(), Control("fly", 4)},
       StatusCode::kInvalidArgument,
       "fly"},
      {"ControlOfNoFrames",
       {Start(), Control("forward", 0)},
       StatusCode::kInvalidArgument,
       "frames"},
      {"TooManyPendingFrames",
       {Start(), Control("forward", 4000000000)},
       StatusCode::kResourceExhausted,
       "frames"},
  };
}

// Everything else.
std::vector<BadInput> BadMessages() {
  return {
      {"NoCredit",
       {Start(), Credit(0)},
       StatusCode::kInvalidArgument,
       "credit"},
      {"CreditOverflow",
       {Start(), Credit(4000000000)},
       StatusCode::kInvalidArgument,
       "credit"},
      {"AckOfTheFuture",
       {Start(), Ack(99)},
       StatusCode::kInvalidArgument,
       "chunk_index"},
      {"MessageOverOneMebibyte",
       {Start([](v1::Start& s) { s.set_prompt(std::string(1 << 21, 'p')); })},
       StatusCode::kResourceExhausted,
       "larger than max"},
      {"EmptyMessage", {""}, StatusCode::kInvalidArgument, ""},
      {"EmptyMessageLater", {Start(), ""}, StatusCode::kInvalidArgument, ""},
  };
}

std::vector<BadInput> Table() {
  std::vector<BadInput> table = BadStarts();
  for (const auto& rows : {BadEvents(), BadMessages()}) {
    table.insert(table.end(), rows.begin(), rows.end());
  }
  return table;
}

class BadInputTest : public testing::TestWithParam<BadInput> {
 protected:
  static void SetUpTestSuite() { daemon_ = Daemon::Start(); }
  static void TearDownTestSuite() { daemon_.reset(); }
  void SetUp() override { ASSERT_NE(daemon_, nullptr); }

  static std::unique_ptr<Daemon> daemon_;
};

std::unique_ptr<Daemon> BadInputTest::daemon_;

TEST_P(BadInputTest, GetsItsStatus) {
  const RawAnswer answer = CallStream(daemon_->address(), GetParam().messages);
  EXPECT_EQ(answer.status.code(), GetParam().code) << answer.status;
  EXPECT_THAT(answer.status.message(), HasSubstr(GetParam().message));
}

// The trivial picture source has no codecs that check these.
TEST_F(BadInputTest, CodecFieldsAreChecked) {
  if (!HasRealModel()) GTEST_SKIP() << "this build has no model";
  const struct {
    const char* field;
    uint32_t value;
  } fields[] = {{"bits", 3},           {"block", 5},      {"centroids", 100000},
                {"stages", 99},        {"iterations", 0}, {"tail_chunks", 1000},
                {"sink_chunks", 1000}, {"span_chunks", 0}};
  for (const auto& [field, value] : fields) {
    const std::string start = Codec([&](v1::CacheSpec& c) {
      c.set_codec("qvg");
      c.GetReflection()->SetUInt32(
          &c, v1::CacheSpec::descriptor()->FindFieldByName(field), value);
    });
    const RawAnswer answer = CallStream(daemon_->address(), {start});
    EXPECT_EQ(answer.status.code(), StatusCode::kInvalidArgument)
        << field << ": " << answer.status;
    EXPECT_THAT(answer.status.message(), HasSubstr(field));
  }
}

TEST_F(BadInputTest, ThePastIsPast) {
  v1::Start start;
  start.set_max_chunks(2);
  auto session = Session::Open(daemon_->client(), start);
  ASSERT_TRUE(session.ok()) << session.status();
  (*session)->SendCredit(1);
  auto chunk = (*session)->Next();
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  v1::Action action;
  action.set_event_id(1);
  action.set_start_frame(3);
  action.add_controls()->set_name("forward");
  action.mutable_controls(0)->set_frames(1);
  (*session)->Send(action);
  const absl::Status status = (*session)->Next().status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(status.message(), HasSubstr("start_frame"));
}

TEST_F(BadInputTest, PromptsAndActionsShareTheirIds) {
  auto model = daemon_->client().FindModel("");
  ASSERT_TRUE(model.ok()) << model.status();
  const RawAnswer answer =
      CallStream(daemon_->address(), {Start(), Action(7), Prompt(7, "again")});
  EXPECT_EQ(answer.status.code(), model->takes_prompt()
                                      ? StatusCode::kAlreadyExists
                                      : StatusCode::kInvalidArgument)
      << answer.status;
}

INSTANTIATE_TEST_SUITE_P(Wire, BadInputTest, testing::ValuesIn(Table()),
                         [](const auto& row) { return row.param.name; });

// gRPC itself answers bytes that are no message.
TEST_F(BadInputTest, BytesThatAreNoMessageEndTheCall) {
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff"), std::string(5000, '\x7f'),
        std::string("\x0a\xff\xff\xff\xff\x0f")}) {
    EXPECT_FALSE(CallStream(daemon_->address(), {bytes}).status.ok());
    EXPECT_FALSE(CallStream(daemon_->address(), {Start(), bytes}).status.ok());
  }
}

TEST_F(BadInputTest, AnotherSessionNeverNotices) {
  const std::vector<std::string> world = {"--frames=32", "--seed=9"};
  const std::string hash = Text(daemon_->Play(world), "frames_hash");
  auto play = daemon_->StartQvg(
      {"play", "--json", "--quiet", "--frames=32", "--seed=9"});
  for (const BadInput& row : Table()) {
    CallStream(daemon_->address(), row.messages);
  }
  auto finished = play->Wait(absl::Minutes(1));
  ASSERT_TRUE(finished.has_value());
  ASSERT_EQ(finished->exit_code, 0) << finished->err;
  EXPECT_EQ(Text(ParseJson(finished->out), "frames_hash"), hash);
}

TEST_F(BadInputTest, NothingIsLeftBehind) {
  for (const BadInput& row : Table()) {
    CallStream(daemon_->address(), row.messages);
  }
  EXPECT_TRUE(daemon_->BecomesEmpty());
  EXPECT_EQ(daemon_->Get("/readyz").status, 200);
}

}  // namespace
}  // namespace qvg::e2e
