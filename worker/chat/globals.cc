// Functions that every template sees.
#include <algorithm>
#include <array>
#include <ctime>

#include "worker/chat/builtin.h"
#include "worker/chat/show.h"

namespace emend::worker::chat {
namespace {

constexpr std::int64_t kRangeMax = 100'000;  // Jinja's sandbox has the same bound
constexpr std::size_t kDateBytesMax = 256;

Result<Value> NamespaceFunction(const Call& call) {
  if (!call.arguments.empty()) return NotSupported("\"namespace\" of a value without a name");
  const auto made = std::make_shared<Namespace>();
  for (const auto& [name, value] : call.named) {
    if (value.name_space() != nullptr) return NotSupported("a namespace inside a namespace");
    made->attributes.emplace_back(name, value);
  }
  EMEND_RETURN_IF_ERROR(call.run.Work(call.named.size() * kElementBytes));
  return Value::Of(made);
}

Result<Value> DictFunction(const Call& call) {
  if (!call.arguments.empty()) return NotSupported("\"dict\" of a value without a name");
  std::vector<Entry> entries;
  for (const auto& [name, value] : call.named) entries.emplace_back(Value::Text(name), value);
  return call.run.MakeDict(std::move(entries));
}

Result<Value> RangeFunction(const Call& call) {
  std::int64_t parts[] = {0, 0, 1};
  for (std::size_t i = 0; i < 3 && call.Has(i); ++i) {
    if (!call.Argument(i).Integer())
      return Failed("a range of " + std::string(call.Argument(i).KindName()));
    parts[i] = *call.Argument(i).Integer();
  }
  if (!call.Has(1)) std::swap(parts[0], parts[1]);
  const auto [start, stop, step] = parts;
  if (step == 0) return Failed("a range with a step of 0");
  Values items;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (static_cast<std::int64_t>(items.size()) == kRangeMax)
      return ResourceExhausted("a range of more than " + std::to_string(kRangeMax) + " numbers");
    items.push_back(Value::Of(at));
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return call.run.MakeSequence(SequenceKind::kList, std::move(items));
}

Result<Value> RaiseFunction(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(std::string message, Shown(call.Argument(0)));
  return Status(StatusCode::kInvalidArgument, "refused_by_chat_template", std::move(message));
}

Result<Value> DateFunction(const Call& call) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> format, call.Text(0));
  if (!format || format->size() > kDateBytesMax) return Failed("a date in no or too long a format");
  const std::time_t seconds = std::chrono::system_clock::to_time_t(call.run.now());
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32 * kDateBytesMax> buffer;
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), format->c_str(), &parts);
  return call.run.MakeText(std::string(buffer.data(), size));
}

constexpr Builtin kGlobals[] = {{"namespace", "*", NamespaceFunction},
                                {"dict", "*", DictFunction},
                                {"range", "start stop? step?", RangeFunction},
                                {"raise_exception", "message", RaiseFunction},
                                {"strftime_now", "format", DateFunction}};

}  // namespace

std::span<const Builtin> Globals() { return kGlobals; }

}  // namespace emend::worker::chat
