// Whatever a client sends, it gets a status that names field, value and limit,
// and the sessions beside it never notice.

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/rpc_client.h"

namespace qvg {
namespace {

using testing::FakeRpcServer;
using ::testing::HasSubstr;
using testing::RpcStream;
using Case = v1::StreamResponse::MessageCase;
using grpc::StatusCode;

struct BadInput {
  const char* name;
  std::function<void(RpcStream&)> send;
  StatusCode code;
  std::vector<std::string> said;  // parts of the message
};

// Starts with what `change` makes of a plain start.
std::function<void(RpcStream&)> StartWith(
    const std::function<void(v1::Start*)>& change) {
  return [change](RpcStream& stream) {
    v1::StreamRequest request;
    request.mutable_start()->set_output_format(v1::OUTPUT_FORMAT_RAW_RGB24);
    change(request.mutable_start());
    stream.Send(request);
  };
}

// Starts and waits for one chunk, then sends what `change` fills in.
std::function<void(RpcStream&)> AfterAChunk(
    const std::function<void(v1::StreamRequest*)>& change) {
  return [change](RpcStream& stream) {
    stream.Start(1);
    stream.ReadUntil(Case::kChunkDone);
    v1::StreamRequest request;
    change(&request);
    stream.Send(request);
  };
}

void Act(v1::StreamRequest* request, uint64_t event_id,
         const std::string& control, uint32_t frames) {
  v1::Action* action = request->mutable_action();
  action->set_event_id(event_id);
  action->add_controls()->set_name(control);
  action->mutable_controls(0)->set_frames(frames);
}

std::vector<BadInput> BadStarts() {
  return {
      {"UnknownModel",
       StartWith([](v1::Start* start) { start->set_model("wan"); }),
       StatusCode::NOT_FOUND,
       {"start.model", "\"wan\"", "\"fake\""}},
      {"UnknownCodec",
       StartWith([](v1::Start* start) {
         start->mutable_cache_spec()->set_codec("zip");
       }),
       StatusCode::NOT_FOUND,
       {"cache_spec.codec", "\"zip\"", "bf16, rtn"}},
      {"BadCombination",
       StartWith([](v1::Start* start) {
         start->mutable_cache_spec()->set_codec("bf16");
         start->mutable_cache_spec()->set_bits(2);
       }),
       StatusCode::INVALID_ARGUMENT,
       {"cache_spec.bits", "2", "bf16"}},
      {"PromptOverItsLimit",
       StartWith(
           [](v1::Start* start) { start->set_prompt(std::string(4097, 'x')); }),
       StatusCode::INVALID_ARGUMENT,
       {"start.prompt", "4097", "4096"}},
      {"FirstCreditOverTheLimit",
       StartWith([](v1::Start* start) { start->set_first_credit(65); }),
       StatusCode::INVALID_ARGUMENT,
       {"start.first_credit", "65", "64"}},
      {"TooManySteps",
       StartWith([](v1::Start* start) { start->set_steps(4000000000u); }),
       StatusCode::INVALID_ARGUMENT,
       {"start.steps", "limit of 8"}},
      {"ActionBeforeStart",
       [](RpcStream& stream) { stream.Act(1, "left"); },
       StatusCode::FAILED_PRECONDITION,
       {"the first one must be start"}},
      {"EndBeforeStart",
       [](RpcStream& stream) { stream.HalfClose(); },
       StatusCode::FAILED_PRECONDITION,
       {"start"}},
      {"EmptyMessage",
       [](RpcStream& stream) { stream.Send(v1::StreamRequest()); },
       StatusCode::INVALID_ARGUMENT,
       {"message: none is set"}},
  };
}

std::vector<BadInput> BadMessages() {
  return {
      {"SecondStart",
       AfterAChunk(
           [](v1::StreamRequest* request) { request->mutable_start(); }),
       StatusCode::FAILED_PRECONDITION,
       {"start", "already"}},
      {"ActionForThePast",
       AfterAChunk([](v1::StreamRequest* request) {
         Act(request, 1, "left", 1);
         request->mutable_action()->set_start_frame(3);
       }),
       StatusCode::INVALID_ARGUMENT,
       {"action.start_frame", "3", "4"}},
      {"CreditOverflow",
       AfterAChunk([](v1::StreamRequest* request) {
         request->mutable_credit()->set_chunks(4294967295u);
       }),
       StatusCode::INVALID_ARGUMENT,
       {"credit.chunks", "4294967295", "64"}},
      {"NoCredit",
       AfterAChunk(
           [](v1::StreamRequest* request) { request->mutable_credit(); }),
       StatusCode::INVALID_ARGUMENT,
       {"credit.chunks", "0"}},
      {"EventIdReused",
       [](RpcStream& stream) {
         stream.Start();
         stream.Act(5, "left");
         stream.Act(5, "left");
       },
       StatusCode::ALREADY_EXISTS,
       {"event_id", "5"}},
      {"UnknownControl",
       AfterAChunk(
           [](v1::StreamRequest* request) { Act(request, 1, "fly", 1); }),
       StatusCode::INVALID_ARGUMENT,
       {"action.controls.name", "\"fly\"", "forward"}},
  };
}

std::vector<BadInput> BadSizes() {
  return {
      {"TooManyPendingFrames",
       AfterAChunk(
           [](v1::StreamRequest* request) { Act(request, 1, "left", 1025); }),
       StatusCode::RESOURCE_EXHAUSTED,
       {"action.controls", "1025", "1024"}},
      {"LaterPromptOverItsLimit",
       AfterAChunk([](v1::StreamRequest* request) {
         request->mutable_prompt()->set_event_id(1);
         request->mutable_prompt()->set_text(std::string(4097, 'x'));
       }),
       StatusCode::INVALID_ARGUMENT,
       {"prompt.text", "4097", "4096"}},
      {"AckOfWhatWasNotSent",
       AfterAChunk([](v1::StreamRequest* request) {
         request->mutable_ack()->set_chunk_index(1);
       }),
       StatusCode::INVALID_ARGUMENT,
       {"ack.chunk_index", "1"}},
      {"MessageOver1MiB",
       AfterAChunk([](v1::StreamRequest* request) {
         request->mutable_prompt()->set_text(std::string(1 << 20, 'x'));
       }),
       StatusCode::RESOURCE_EXHAUSTED,
       {"larger than max", "1048576"}},
  };
}

class BadInputTest : public ::testing::TestWithParam<BadInput> {};

TEST_P(BadInputTest, GetsItsStatusAndNobodyElseNotices) {
  FakeRpcServer server;
  const auto channel = server.Connect();
  RpcStream good(channel);
  ASSERT_TRUE(good.Start(1));
  ASSERT_TRUE(good.ReadUntil(Case::kChunkDone));
  {
    RpcStream bad(channel);
    GetParam().send(bad);
    const grpc::Status status = bad.Finish();
    EXPECT_EQ(status.error_code(), GetParam().code) << status.error_message();
    for (const std::string& part : GetParam().said) {
      EXPECT_THAT(status.error_message(), HasSubstr(part));
    }
  }
  ASSERT_TRUE(good.Credit(1));
  good.HalfClose();
  EXPECT_TRUE(good.Finish().ok());
  EXPECT_EQ(good.All(Case::kChunkDone).size(), 2);
  EXPECT_TRUE(server.AwaitMemoryBack());
}

const auto kName = [](const auto& input) { return input.param.name; };
INSTANTIATE_TEST_SUITE_P(Starts, BadInputTest, ::testing::ValuesIn(BadStarts()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Messages, BadInputTest,
                         ::testing::ValuesIn(BadMessages()), kName);
INSTANTIATE_TEST_SUITE_P(Sizes, BadInputTest, ::testing::ValuesIn(BadSizes()),
                         kName);

// Sends `bytes` as the first message of a Stream call.
grpc::Status SendBytes(const std::shared_ptr<grpc::Channel>& channel,
                       const std::string& bytes) {
  grpc::ClientContext context;
  const grpc::internal::RpcMethod method(
      "/qvg.v1.SessionService/Stream",
      grpc::internal::RpcMethod::BIDI_STREAMING, channel);
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>>
      stream(grpc::internal::ClientReaderWriterFactory<
             grpc::ByteBuffer, grpc::ByteBuffer>::Create(channel.get(), method,
                                                         &context));
  const grpc::Slice slice(bytes);
  EXPECT_TRUE(stream->Write(grpc::ByteBuffer(&slice, 1)));
  grpc::ByteBuffer response;
  while (stream->Read(&response)) {
  }
  return stream->Finish();
}

TEST(BadInput, BytesThatAreNoMessage) {
  FakeRpcServer server;
  for (const char* bytes : {"\xff\xff\xff\xff", "\x0a\x7fshort", "hello"}) {
    const grpc::Status status = SendBytes(server.Connect(), bytes);
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("no qvg.v1.StreamRequest"));
  }
}

TEST(BadInput, TextThatIsNotUtf8) {
  FakeRpcServer server;
  // start { prompt: "\xff" }
  const grpc::Status status =
      SendBytes(server.Connect(), "\x0a\x03\x12\x01\xff");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST(BadInput, AFloodOfPingsEndsThatCallOnly) {
  FakeRpcServer server;
  RpcStream good(server.Connect());
  ASSERT_TRUE(good.Start(1));
  RpcStream bad(server.Connect());
  ASSERT_TRUE(bad.Start());
  // Nothing is read meanwhile; at some time the transport is full too.
  bool open = true;
  for (int i = 0; i < 200000 && open; ++i) open = bad.Ping(1);
  EXPECT_FALSE(open);
  EXPECT_EQ(bad.Finish().error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(good.ReadUntil(Case::kChunkDone));
}

}  // namespace
}  // namespace qvg
