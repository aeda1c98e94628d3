// Makes Abseil's locks known to ThreadSanitizer. Debian's Abseil is built
// without instrumentation, so a program that is must be told of the order that
// absl::Mutex and its kin establish, or every access that they guard looks like
// a race. Each function here takes the place of the library's function of the
// same name, calls that one, and tells.
//
// Conditions are evaluated inside these calls, by whichever thread holds the
// lock, so accesses are not looked at until the call is over.

#include <dlfcn.h>

#include <cstring>
#include <string>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}

namespace {

#define QVG_STRING_(x) #x
#define QVG_STRING(x) QVG_STRING_(x)
constexpr char kNamespace[] = QVG_STRING(ABSL_OPTION_INLINE_NAMESPACE_NAME);

// Abseil's function whose mangled name, after absl and its inline namespace,
// is `name`; `qualifier` is "K" for const member functions.
template <typename Function>
Function* Real(const char* name, const char* qualifier = "") {
  const std::string symbol = std::string("_ZN") + qualifier + "4absl" +
                             std::to_string(std::strlen(kNamespace)) +
                             kNamespace + name;
  void* found = dlsym(RTLD_NEXT, symbol.c_str());
  if (found == nullptr) __builtin_trap();
  return reinterpret_cast<Function*>(found);
}

class Unwatched {
 public:
  Unwatched() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Unwatched() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
};

template <typename Function, typename... Args>
auto Call(Function* real, Args... args) {
  Unwatched unwatched;
  return real(args...);
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* real = Real<void(Mutex*)>("5Mutex4LockEv");
  Call(real, this);
  __tsan_acquire(this);
}

void Mutex::ReaderLock() {
  static auto* real = Real<void(Mutex*)>("5Mutex10ReaderLockEv");
  Call(real, this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static auto* real = Real<bool(Mutex*)>("5Mutex7TryLockEv");
  const bool locked = Call(real, this);
  if (locked) __tsan_acquire(this);
  return locked;
}

bool Mutex::ReaderTryLock() {
  static auto* real = Real<bool(Mutex*)>("5Mutex13ReaderTryLockEv");
  const bool locked = Call(real, this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::Unlock() {
  static auto* real = Real<void(Mutex*)>("5Mutex6UnlockEv");
  __tsan_release(this);
  Call(real, this);
}

void Mutex::ReaderUnlock() {
  static auto* real = Real<void(Mutex*)>("5Mutex12ReaderUnlockEv");
  __tsan_release(this);
  Call(real, this);
}

// Every LockWhen ends up here.
bool Mutex::LockSlowWithDeadline(MuHow how, const Condition* condition,
                                 synchronization_internal::KernelTimeout t,
                                 int flags) {
  using Function = bool(Mutex*, MuHow, const Condition*,
                        synchronization_internal::KernelTimeout, int);
  static auto* real = Real<Function>(
      "5Mutex20LockSlowWithDeadlineEPKNS0_6MuHowSEPKNS0_9ConditionENS0_24"
      "synchronization_internal13KernelTimeoutEi");
  const bool held = Call(real, this, how, condition, t, flags);
  __tsan_acquire(this);
  return held;
}

// Every Await ends up here.
bool Mutex::AwaitCommon(const Condition& condition,
                        synchronization_internal::KernelTimeout t) {
  using Function =
      bool(Mutex*, const Condition*, synchronization_internal::KernelTimeout);
  static auto* real = Real<Function>(
      "5Mutex11AwaitCommonERKNS0_9ConditionENS0_24"
      "synchronization_internal13KernelTimeoutE");
  __tsan_release(this);
  const bool held = Call(real, this, &condition, t);
  __tsan_acquire(this);
  return held;
}

// Every Wait ends up here.
bool CondVar::WaitCommon(Mutex* mutex,
                         synchronization_internal::KernelTimeout t) {
  using Function =
      bool(CondVar*, Mutex*, synchronization_internal::KernelTimeout);
  static auto* real = Real<Function>(
      "7CondVar10WaitCommonEPNS0_5MutexENS0_24"
      "synchronization_internal13KernelTimeoutE");
  __tsan_release(mutex);
  const bool timed_out = Call(real, this, mutex, t);
  __tsan_acquire(mutex);
  return timed_out;
}

void Notification::Notify() {
  static auto* real = Real<void(Notification*)>("12Notification6NotifyEv");
  __tsan_release(this);
  // What HasBeenNotified, an inline function, reads.
  __tsan_release(reinterpret_cast<char*>(this) + sizeof(Mutex));
  Call(real, this);
}

void Notification::WaitForNotification() const {
  static auto* real = Real<void(const Notification*)>(
      "12Notification19WaitForNotificationEv", "K");
  Call(real, this);
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static auto* real = Real<bool(const Notification*, Duration)>(
      "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE", "K");
  const bool notified = Call(real, this, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  static auto* real = Real<bool(const Notification*, Time)>(
      "12Notification31WaitForNotificationWithDeadlineENS0_4TimeE", "K");
  const bool notified = Call(real, this, deadline);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

bool BlockingCounter::DecrementCount() {
  static auto* real =
      Real<bool(BlockingCounter*)>("15BlockingCounter14DecrementCountEv");
  __tsan_release(this);
  return Call(real, this);
}

void BlockingCounter::Wait() {
  static auto* real = Real<void(BlockingCounter*)>("15BlockingCounter4WaitEv");
  Call(real, this);
  __tsan_acquire(this);
}

bool Barrier::Block() {
  static auto* real = Real<bool(Barrier*)>("7Barrier5BlockEv");
  __tsan_release(this);
  const bool last = Call(real, this);
  __tsan_acquire(this);
  return last;
}

ABSL_NAMESPACE_END
}  // namespace absl
