#include "coordinator/operations/facts_field.h"

#include <map>
#include <string>

#include "storage/base/utf8.h"

namespace emend::coordinator::operations {
namespace {

using storage::json::Reader;
using storage::objects::Fact;
using storage::objects::FactKind;
using storage::objects::Lookup;

std::size_t CountSlots(std::string_view prompt) {
  std::size_t count = 0;
  for (std::size_t at = prompt.find("{}"); at != std::string_view::npos;
       at = prompt.find("{}", at + 2))
    ++count;
  return count;
}

void ReadEnum(Reader& reader, const char* name, const std::map<std::string, std::uint8_t>& values,
              std::uint8_t& out) {
  std::string text;
  if (!reader.Text(name, text)) return;
  const auto found = values.find(text);
  if (found == values.end())
    return reader.Fail(name, "found \"" + Shortened(text) +
                                 "\", which is none of the values that this field knows");
  out = found->second;
}

Fact ReadFact(Reader reader) {
  Fact fact;
  reader.Text("id", fact.id);
  reader.Require("prompt", fact.prompt);
  reader.Require("subject", fact.subject);
  reader.Require("target", fact.target);
  std::string old_target;
  if (reader.Text("old_target", old_target)) fact.old_target = old_target;
  reader.Text("relation", fact.relation);
  reader.Text("language", fact.language);
  reader.Texts("paraphrases", fact.paraphrases);
  reader.Texts("neighbours", fact.neighbours);
  reader.Texts("portability", fact.portability);
  auto lookup = static_cast<std::uint8_t>(fact.lookup);
  ReadEnum(reader, "lookup", {{"subject_last", 1}, {"last", 2}, {"span", 3}}, lookup);
  fact.lookup = static_cast<Lookup>(lookup);
  auto kind = static_cast<std::uint8_t>(fact.kind);
  ReadEnum(reader, "kind", {{"replace", 1}, {"insert", 2}, {"refuse", 3}, {"forget", 4}}, kind);
  fact.kind = static_cast<FactKind>(kind);
  const std::size_t slots = CountSlots(fact.prompt);
  if (slots != 1)
    reader.Fail("prompt", "found " + std::to_string(slots) +
                              " places \"{}\" for the subject, expected exactly one");
  if (fact.subject.empty()) reader.Fail("subject", "found an empty text, expected the subject");
  if (fact.target.empty()) reader.Fail("target", "found an empty text, expected the target");
  if (fact.lookup != Lookup::kSubjectLast)
    reader.Fail("lookup", "only \"subject_last\" is edited by this version");
  if (fact.kind == FactKind::kRefuse || fact.kind == FactKind::kForget)
    reader.Fail("kind", "only \"replace\" and \"insert\" are edited by this version");
  reader.RefuseUnknown();
  return fact;
}

}  // namespace

void ReadFacts(Reader& reader, std::vector<Fact>& facts) {
  reader.List("facts", kFactsMax,
              [&facts](Reader item) { facts.push_back(ReadFact(std::move(item))); });
  if (facts.empty()) reader.Fail("facts", "found no fact, expected at least one");
}

}  // namespace emend::coordinator::operations
