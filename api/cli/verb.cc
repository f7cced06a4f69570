#include "api/cli/verb.h"

namespace emend::api::cli {
namespace {

constexpr std::int64_t kTimeoutMax = 30 * 24 * 3600;  // seconds

std::string Join(const std::vector<std::int32_t>& numbers) {
  std::string text;
  for (const std::int32_t number : numbers)
    text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

}  // namespace

std::vector<std::string> Argument::each_name() const {
  std::vector<std::string> each;
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    each.push_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return each;
}

std::string Argument::initial() const {
  if (const auto* const text = std::get_if<std::string*>(&into)) return **text;
  if (const auto* const number = std::get_if<int*>(&into)) return std::to_string(**number);
  if (const auto* const numbers = std::get_if<std::vector<std::int32_t>*>(&into))
    return Join(**numbers);
  const auto* const count = std::get_if<std::uint64_t*>(&into);
  return count == nullptr || **count == 0 ? "" : std::to_string(**count);
}

void Arguments::AddSubmission(SubmitOptions& options) {
  Add({.names = "--priority",
       .value = "CLASS",
       .help = "how urgent it is; a better class is started first",
       .shared = true,
       .choices = {"interactive", "normal", "batch"},
       .into = &options.priority});
  Add({.names = "--timeout",
       .value = "SECONDS",
       .help = "when it ends, waiting or running; never if not given",
       .shared = true,
       .range = Range{1, kTimeoutMax},
       .into = &options.timeout});
}

std::string RenderUsage(const Verb& verb) {
  Arguments arguments;
  const Action unused = verb.bind(arguments);
  std::string line(verb.name);
  for (const Argument& argument : arguments.list()) {
    if (argument.shared) continue;
    const std::string text =
        argument.each_name().front() + (argument.value.empty() ? "" : " " + argument.value);
    line += argument.required ? " " + text : " [" + text + "]";
    if (argument.is_repeated()) line += "...";
  }
  return line;
}

}  // namespace emend::api::cli
