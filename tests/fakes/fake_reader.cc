#include "tests/fakes/fake_reader.h"

#include <utility>

namespace qvg::testing {

FakeReader::FakeReader(SessionManager* manager, const StartRequest& request) {
  auto opened = manager->Open(request, [bell = bell_] {
    MutexLock lock(&bell->mu);
    bell->rung = true;
    bell->changed.Signal();
  });
  status_ = opened.status();
  if (opened.ok()) handle_ = *std::move(opened);
}

WriterStep FakeReader::AwaitStep() {
  while (true) {
    WriterStep step = handle_.NextStep();
    if (step.kind != WriterStep::Kind::kWait) return step;
    MutexLock lock(&bell_->mu);
    while (!bell_->rung) {
      if (!bell_->changed.WaitWithTimeout(&bell_->mu, absl::Seconds(20))) {
        return step;
      }
    }
    bell_->rung = false;
  }
}

std::optional<Message> FakeReader::ReadWithoutDone() {
  WriterStep step = AwaitStep();
  switch (step.kind) {
    case WriterStep::Kind::kWait:
      return std::nullopt;
    case WriterStep::Kind::kAbort:
      aborted_ = true;
      [[fallthrough]];
    case WriterStep::Kind::kFinish:
      final_ = step.status;
      return std::nullopt;
    case WriterStep::Kind::kWrite:
      break;
  }
  if (const auto* part = std::get_if<MediaPart>(&step.message)) {
    media_.append(part->data.begin(), part->data.end());
  }
  messages_.push_back(step.message);
  return step.message;
}

std::optional<Message> FakeReader::Read() {
  std::optional<Message> message = ReadWithoutDone();
  if (message) handle_.Written();
  return message;
}

}  // namespace qvg::testing
