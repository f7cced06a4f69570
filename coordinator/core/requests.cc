#include "coordinator/core/requests.h"

#include <map>

#include "coordinator/core/json_reader.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::core {
namespace {

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

void ReadEnum(JsonReader& reader, const char* name,
              const std::map<std::string, std::uint8_t>& values, std::uint8_t& out) {
  std::string text;
  if (!reader.Text(name, text)) return;
  const auto found = values.find(text);
  if (found == values.end())
    return reader.Fail(name,
                       "found \"" + text + "\", which is none of the values that this field knows");
  out = found->second;
}

Fact ReadFact(JsonReader reader) {
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

void ReadFacts(JsonReader& reader, std::vector<Fact>& facts) {
  reader.List("facts", kFactsMax,
              [&facts](JsonReader item) { facts.push_back(ReadFact(std::move(item))); });
  if (facts.empty()) reader.Fail("facts", "found no fact, expected at least one");
}

ImportRequest ReadImport(JsonReader& reader) {
  ImportRequest request;
  reader.Require("model", request.model);
  reader.Text("message", request.message);
  return request;
}

StatisticsRequest ReadStatistics(JsonReader& reader) {
  StatisticsRequest request;
  reader.BulkTexts("lines", request.lines);
  reader.Unsigned("tokens_max", request.tokens_max);
  reader.Layers("layers", request.layers);
  reader.Unsigned("seed", request.seed);
  return request;
}

CommitRequest ReadCommit(JsonReader& reader) {
  CommitRequest request;
  reader.Text("branch", request.branch);
  ReadFacts(reader, request.facts);
  reader.Text("message", request.message);
  reader.Text("method", request.method);
  reader.TextMap("settings", request.settings);
  reader.TextGroups("context_templates", request.context_templates);
  reader.Flag("force", request.force);
  reader.Flag("stack", request.stack);
  reader.Flag("evaluate", request.evaluate);
  if (request.method != "memit")
    reader.Fail("method", "found \"" + request.method + "\", this version solves by \"memit\"");
  return request;
}

RevertRequest ReadRevert(JsonReader& reader) {
  RevertRequest request;
  reader.Text("branch", request.branch);
  reader.Require("commit", request.commit);
  reader.Text("message", request.message);
  return request;
}

EvaluationRequest ReadEvaluation(JsonReader& reader) {
  EvaluationRequest request;
  reader.Text("revision", request.revision);
  ReadFacts(reader, request.facts);
  return request;
}

VerifyRequest ReadVerify(JsonReader& reader) {
  VerifyRequest request;
  reader.Text("revision", request.revision);
  return request;
}

ExportRequest ReadExport(JsonReader& reader) {
  ExportRequest request;
  reader.Text("revision", request.revision);
  reader.Text("format", request.format);
  reader.Require("folder", request.folder);
  if (request.format != "safetensors")
    reader.Fail("format", "found \"" + request.format + "\", this version exports \"safetensors\"");
  return request;
}

FsckRequest ReadFsck(JsonReader&) { return {}; }

struct Kind {
  std::string_view scope;
  OperationRequest (*read)(JsonReader&);
};

template <auto Read>
OperationRequest ReadAs(JsonReader& reader) {
  return Read(reader);
}

const std::map<std::string_view, Kind>& Kinds() {
  static const std::map<std::string_view, Kind> kKinds = {
      {"import", {"admin", ReadAs<ReadImport>}},
      {"statistics", {"merge", ReadAs<ReadStatistics>}},
      {"commit", {"merge", ReadAs<ReadCommit>}},
      {"revert", {"merge", ReadAs<ReadRevert>}},
      {"evaluation", {"ask", ReadAs<ReadEvaluation>}},
      {"verify", {"read", ReadAs<ReadVerify>}},
      {"export", {"read", ReadAs<ReadExport>}},
      {"fsck", {"admin", ReadAs<ReadFsck>}},
  };
  return kKinds;
}

}  // namespace

std::string_view ScopeOf(std::string_view kind) {
  const auto found = Kinds().find(kind);
  return found == Kinds().end() ? std::string_view() : found->second.scope;
}

Result<OperationRequest> ParseRequest(std::string_view kind, std::string_view json) {
  const auto found = Kinds().find(kind);
  if (found == Kinds().end())
    return Status(StatusCode::kUnsupported, "unknown_operation",
                  "an operation of kind \"" + std::string(kind) + "\" was submitted");
  EMEND_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(json));
  JsonReader reader = document.Root();
  OperationRequest request = found->second.read(reader);
  reader.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(document.status());
  return request;
}

}  // namespace emend::coordinator::core
