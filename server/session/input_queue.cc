#include "server/session/input_queue.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qvg {
namespace {

int MaxValues(const ModelInfo& model) {
  int values = 0;
  for (const ControlInfo& control : model.controls) {
    values = std::max(values, control.values);
  }
  return values;
}

int FindControl(const ModelInfo& model, const std::string& name) {
  for (size_t i = 0; i < model.controls.size(); ++i) {
    if (model.controls[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

absl::Status UnknownControl(const ModelInfo& model, const std::string& name) {
  return absl::InvalidArgumentError(absl::StrCat(
      "action.controls.name: \"", name.substr(0, 64), "\" is none of ",
      absl::StrJoin(model.controls, ", ",
                    [](std::string* out, const ControlInfo& control) {
                      out->append(control.name);
                    })));
}

absl::Status CheckValues(const ControlInfo& info, const ControlRun& run) {
  if (run.values.size() != info.values) {
    return absl::InvalidArgumentError(absl::StrCat(
        "action.controls.values: ", run.values.size(), " values for \"",
        info.name, "\", which takes ", info.values));
  }
  for (float value : run.values) {
    if (std::isfinite(value)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "action.controls.values: ", value, " is not a finite number"));
  }
  return absl::OkStatus();
}

}  // namespace

int64_t InputQueue::Bytes(const ModelInfo& model, const SessionLimits& limits) {
  return limits.max_pending_frames *
         static_cast<int64_t>(sizeof(Frame) + MaxValues(model) * sizeof(float));
}

InputQueue::InputQueue(const ModelInfo* model, const SessionLimits& limits,
                       PoolBuffer memory)
    : model_(model),
      max_frames_(limits.max_pending_frames),
      max_prompt_bytes_(limits.max_prompt_bytes),
      values_per_frame_(MaxValues(*model)),
      memory_(std::move(memory)) {
  uint8_t* bytes = memory_.bytes().data();
  frames_ = absl::MakeSpan(reinterpret_cast<Frame*>(bytes), max_frames_);
  values_ = absl::MakeSpan(
      reinterpret_cast<float*>(bytes + max_frames_ * sizeof(Frame)),
      static_cast<size_t>(max_frames_) * values_per_frame_);
}

absl::Status InputQueue::CheckControls(const ActionRequest& action,
                                       std::vector<int>* controls,
                                       int64_t* frames) const {
  if (action.controls.empty()) {
    return absl::InvalidArgumentError(
        "action.controls: 0 controls, at least 1 is needed");
  }
  for (const ControlRun& run : action.controls) {
    const int control = FindControl(*model_, run.name);
    if (control < 0) return UnknownControl(*model_, run.name);
    if (run.frames < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "action.controls.frames: ", run.frames, " is not at least 1"));
    }
    const absl::Status values = CheckValues(model_->controls[control], run);
    if (!values.ok()) return values;
    controls->push_back(control);
    *frames += run.frames;
  }
  return absl::OkStatus();
}

absl::Status InputQueue::FindPlace(const ActionRequest& action, int64_t frames,
                                   Place* place) const {
  place->keep = action.replace ? 0 : size_;
  if (action.start_frame) {
    if (*action.start_frame < static_cast<uint64_t>(next_frame_)) {
      return absl::InvalidArgumentError(
          absl::StrCat("action.start_frame: ", *action.start_frame,
                       " is in the past, the next frame is ", next_frame_));
    }
    const uint64_t ahead =
        std::min<uint64_t>(*action.start_frame - next_frame_, max_frames_);
    const auto offset = static_cast<int64_t>(ahead);
    place->keep = std::min(place->keep, offset);
    place->gap = offset - place->keep;
  }
  if (place->keep + place->gap + frames > max_frames_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "action.controls: ", frames, " frames behind ",
        place->keep + place->gap, " that wait, the limit is ", max_frames_));
  }
  return absl::OkStatus();
}

absl::Status InputQueue::AddAction(const ActionRequest& action,
                                   std::vector<Receipt>* receipts) {
  std::vector<int> controls;
  int64_t frames = 0;
  Place place;
  absl::Status status = CheckControls(action, &controls, &frames);
  if (status.ok()) status = FindPlace(action, frames, &place);
  if (status.ok()) status = event_ids_.Add(action.event_id);
  if (!status.ok()) return status;
  receipts->push_back({action.event_id, Receipt::State::kReceived, 0, ""});
  Truncate(place.keep, absl::StrCat("replaced by event ", action.event_id),
           receipts);
  for (int64_t i = 0; i < place.gap; ++i) Append(0, 0, {});
  for (size_t i = 0; i < controls.size(); ++i) {
    const ControlRun& run = action.controls[i];
    for (int64_t k = 0; k < run.frames; ++k) {
      Append(action.event_id, controls[i], run.values);
    }
  }
  return absl::OkStatus();
}

absl::Status InputQueue::SetPrompt(const PromptRequest& prompt,
                                   std::vector<Receipt>* receipts) {
  if (prompt.text.size() > max_prompt_bytes_) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt.text: ", prompt.text.size(),
                     " bytes, the limit is ", max_prompt_bytes_));
  }
  if (!model_->takes_prompt) {
    return absl::InvalidArgumentError(absl::StrCat(
        "prompt.text: model \"", model_->name, "\" takes no prompt"));
  }
  const absl::Status status = event_ids_.Add(prompt.event_id);
  if (!status.ok()) return status;
  receipts->push_back({prompt.event_id, Receipt::State::kReceived, 0, ""});
  if (prompt_) {
    receipts->push_back({prompt_->event_id, Receipt::State::kRejected, 0,
                         absl::StrCat("replaced by event ", prompt.event_id)});
  }
  prompt_ = prompt;
  return absl::OkStatus();
}

ChunkInputs InputQueue::Take(int64_t chunk, std::vector<Receipt>* receipts) {
  ChunkInputs inputs;
  inputs.frames.resize(model_->frames_per_chunk);
  const int64_t taken = std::min<int64_t>(size_, model_->frames_per_chunk);
  const auto apply = [&](uint64_t event_id) {
    receipts->push_back({event_id, Receipt::State::kApplied, chunk, ""});
  };
  for (int64_t i = 0; i < taken; ++i) {
    FrameControl& frame = inputs.frames[i];
    frame.control = frames_[i].control;
    const float* values = values_.data() + i * values_per_frame_;
    frame.values.assign(values,
                        values + model_->controls[frame.control].values);
    const uint64_t event_id = frames_[i].event_id;
    if (event_id == 0 || event_id == applied_) continue;
    applied_ = event_id;
    apply(event_id);
  }
  DropFront(taken);
  next_frame_ += model_->frames_per_chunk;
  if (prompt_) {
    inputs.prompt = std::move(prompt_->text);
    inputs.prompt_changed = true;
    apply(prompt_->event_id);
    prompt_.reset();
  }
  return inputs;
}

void InputQueue::RejectAll(absl::string_view reason,
                           std::vector<Receipt>* receipts) {
  Truncate(0, reason, receipts);
  if (!prompt_) return;
  receipts->push_back(
      {prompt_->event_id, Receipt::State::kRejected, 0, std::string(reason)});
  prompt_.reset();
}

void InputQueue::Truncate(int64_t size, absl::string_view reason,
                          std::vector<Receipt>* receipts) {
  // The frames of an event lie side by side, so one that is cut keeps the
  // last frame before the cut.
  uint64_t seen = size > 0 ? frames_[size - 1].event_id : applied_;
  for (int64_t i = size; i < size_; ++i) {
    const uint64_t event_id = frames_[i].event_id;
    if (event_id == seen || event_id == 0) continue;
    seen = event_id;
    receipts->push_back(
        {event_id, Receipt::State::kRejected, 0, std::string(reason)});
  }
  size_ = std::min(size, size_);
}

void InputQueue::Append(uint64_t event_id, int control,
                        absl::Span<const float> values) {
  frames_[size_] = {event_id, control};
  std::copy(values.begin(), values.end(),
            values_.begin() + size_ * values_per_frame_);
  ++size_;
}

void InputQueue::DropFront(int64_t frames) {
  std::copy(frames_.begin() + frames, frames_.begin() + size_, frames_.begin());
  std::copy(values_.begin() + frames * values_per_frame_,
            values_.begin() + size_ * values_per_frame_, values_.begin());
  size_ -= frames;
}

}  // namespace qvg
