#include "coordinator/core/requests.h"

#include <map>

#include "storage/base/utf8.h"
#include "storage/json/reader.h"

namespace emend::coordinator::core {
namespace {

using storage::json::Document;
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

void ReadFacts(Reader& reader, std::vector<Fact>& facts) {
  reader.List("facts", kFactsMax,
              [&facts](Reader item) { facts.push_back(ReadFact(std::move(item))); });
  if (facts.empty()) reader.Fail("facts", "found no fact, expected at least one");
}

ImportRequest ReadImport(Reader& reader) {
  ImportRequest request;
  reader.Require("model", request.model);
  reader.Text("message", request.message);
  return request;
}

StatisticsRequest ReadStatistics(Reader& reader) {
  StatisticsRequest request;
  reader.BulkTexts("lines", request.lines);
  reader.Unsigned("tokens_max", request.tokens_max);
  reader.Indices("layers", request.layers);
  reader.Unsigned("seed", request.seed);
  return request;
}

CommitRequest ReadCommit(Reader& reader) {
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
    reader.Fail("method",
                "found \"" + Shortened(request.method) + "\", this version solves by \"memit\"");
  return request;
}

RevertRequest ReadRevert(Reader& reader) {
  RevertRequest request;
  reader.Text("branch", request.branch);
  reader.Require("commit", request.commit);
  reader.Text("message", request.message);
  return request;
}

EvaluationRequest ReadEvaluation(Reader& reader) {
  EvaluationRequest request;
  reader.Text("revision", request.revision);
  ReadFacts(reader, request.facts);
  return request;
}

VerifyRequest ReadVerify(Reader& reader) {
  VerifyRequest request;
  reader.Text("revision", request.revision);
  return request;
}

ExportRequest ReadExport(Reader& reader) {
  ExportRequest request;
  reader.Text("revision", request.revision);
  reader.Text("format", request.format);
  reader.Require("folder", request.folder);
  if (request.format != "safetensors")
    reader.Fail("format", "found \"" + Shortened(request.format) +
                              "\", this version exports \"safetensors\"");
  return request;
}

FsckRequest ReadFsck(Reader&) { return {}; }

struct Kind {
  std::string_view scope;
  OperationRequest (*read)(Reader&);
};

template <auto Read>
OperationRequest ReadAs(Reader& reader) {
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
  EMEND_ASSIGN_OR_RETURN(Document document, Document::Parse(json));
  Reader reader = document.Root();
  OperationRequest request = found->second.read(reader);
  reader.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(document.status());
  return request;
}

}  // namespace emend::coordinator::core
