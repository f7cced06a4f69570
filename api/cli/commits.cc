#include "api/cli/commits.h"

#include "api/cli/scores.h"
#include "api/cli/text.h"
#include "storage/text/slot.h"

namespace emend::api::cli {
namespace {

std::string Subject(const Json& commit) {
  const std::string message = TextOf(commit, "message");
  return message.substr(0, message.find('\n'));
}

std::string Changes(const Json& commit) {
  const long added = static_cast<long>(NumberOf(commit, "added_count"));
  const long removed = static_cast<long>(NumberOf(commit, "removed_count"));
  return "+" + std::to_string(added) + " -" + std::to_string(removed);
}

}  // namespace

void ShowLogEntry(const Session& session, const Json& commit, const std::string& names,
                  bool oneline) {
  const Terminal& terminal = session.terminal();
  const std::string decoration =
      names.empty() ? "" : " " + terminal.Paint("(" + names + ")", Colour::kBlue);
  if (oneline) {
    session.out() << terminal.Paint(ShortId(TextOf(commit, "commit")), Colour::kYellow)
                  << decoration << " " << Subject(commit) << "\n";
    return;
  }
  session.out() << terminal.Paint("commit " + TextOf(commit, "commit"), Colour::kYellow)
                << decoration << "\n"
                << RenderTable(
                       {{"Author:", TextOf(commit, "author")},
                        {"Date:", TextOf(commit, "time")},
                        {"Kind:", TextOf(commit, "kind") + ", " + Changes(commit) + " edits"},
                        {"State:", ShortId(TextOf(commit, "state"))}})
                << "\n"
                << Indent(TextOf(commit, "message"));
  const std::string scores = RenderScores(
      {{"before", commit.value("before", Json())}, {"after", commit.value("after", Json())}});
  if (!scores.empty()) session.out() << "\n" << scores;
  session.out() << "\n";
}

std::string QuestionOf(const Json& fact) {
  return storage::text::FillSlot(TextOf(fact, "prompt"), TextOf(fact, "subject"));
}

long CountOf(const Json& result, const char* name) {
  const Json value = result.is_object() ? result.value(name, Json()) : Json();
  return value.is_array() ? static_cast<long>(value.size())
                          : static_cast<long>(NumberOf(result, name));
}

}  // namespace emend::api::cli
