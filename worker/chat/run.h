// One rendering of a template: its variables, what it wrote, and what it may still spend. Whatever
// makes or reads values asks it, so that a hostile template ends at a bound:
//
//   steps_left   evaluations of expressions and statements; loops and macros end by it
//   bytes_left   bytes of texts and elements that were made, or read through as a whole
//   depth        of evaluations inside each other, which bounds the stack
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "worker/chat/value.h"

namespace emend::worker::chat {

// Of expressions and statements inside each other, in a template; also of operators in a row.
inline constexpr int kNestingMax = 128;
// The same while it runs, through macros that call each other.
inline constexpr int kDepthMax = 500;
inline constexpr int kValueDepthMax = 64;
inline constexpr std::int64_t kStepsMax = 2'000'000;
inline constexpr std::int64_t kWorkBytesMax = std::int64_t{128} << 20;
inline constexpr std::int64_t kElementBytes = 32;  // what an element of a list counts for

// kInvalidArgument "chat_template_failed": what Python would raise as an exception.
Status Failed(std::string message);
// kUnsupported "unsupported_chat_template".
Status NotSupported(std::string message);
// A Failed: "'x' is undefined".
Status UndefinedFailed(const Value& value);

// Variables; those of an inner one go before its parent's.
struct Scope {
  Scope* parent = nullptr;
  std::map<std::string, Value, std::less<>> variables;

  const Value* Find(std::string_view name) const;  // here or in a parent
  void Set(std::string_view name, Value value);    // here
};

class Run {
 public:
  explicit Run(WallTime now) : now_(now) {}

  WallTime now() const { return now_; }

  // kResourceExhausted once the bytes are spent.
  Status Work(std::size_t bytes);
  // One step, at this line of the template.
  Status Step(int line);
  // The line of the last step.
  int line() const { return line_; }

  Result<Value> MakeText(std::string text);
  Result<Value> MakeSequence(SequenceKind kind, Values items);
  // Of entries with the same key the last one's value stands, in the place of the first.
  Result<Value> MakeDict(std::vector<Entry> entries);

  // What iterating over it gives: elements, keys of a mapping, characters, nothing of an undefined
  // value. A generator is read up.
  Result<Values> Elements(const Value& value);

  Status Write(std::string_view text);

  // Variables of the whole template, and those that are seen now.
  Scope root;
  Scope* scope = &root;
  std::string output;
  int depth = 0;

 private:
  const WallTime now_;
  std::int64_t steps_left_ = kStepsMax;
  std::int64_t bytes_left_ = kWorkBytesMax;
  int line_ = 1;
};

// Counts an evaluation inside another one as long as it lives.
class Deeper {
 public:
  explicit Deeper(Run& run) : run_(run) { ++run_.depth; }
  ~Deeper() { --run_.depth; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

  Status Check() const;  // kResourceExhausted over kDepthMax

 private:
  Run& run_;
};

// Makes `scope` the innermost one as long as it lives.
class Entered {
 public:
  Entered(Run& run, Scope* parent) : run_(run), outer_(run.scope) {
    scope_.parent = parent;
    run_.scope = &scope_;
  }
  ~Entered() { run_.scope = outer_; }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

  Scope& scope() { return scope_; }

 private:
  Run& run_;
  Scope* const outer_;
  Scope scope_;
};

}  // namespace emend::worker::chat
