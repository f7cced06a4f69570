#include "coordinator/operations/facts_field.h"

#include <algorithm>
#include <string>

#include "storage/facts/fact_json.h"

namespace emend::coordinator::operations {
namespace {

using storage::json::Reader;
using storage::objects::Fact;
using storage::objects::FactKind;
using storage::objects::Lookup;

// "neighbours[2].target" is "neighbours/2/target".
std::string PointerOf(std::string path) {
  for (std::size_t at = path.find("]."); at != std::string::npos; at = path.find("].", at))
    path.replace(at, 2, "/");
  std::ranges::replace(path, '[', '/');
  std::erase(path, ']');
  return path;
}

// The fact, or an empty one where the reader has failed.
Fact ReadFact(Reader reader) {
  const storage::facts::Complain complain = [&reader](const std::string& field,
                                                      const std::string& message) {
    reader.Fail(PointerOf(field), message);
  };
  const auto draft = storage::facts::ReadDraft(reader.object(), complain);
  Fact fact = storage::facts::CheckDraft(draft, complain).value_or(Fact());
  if (fact.lookup != Lookup::kSubjectLast)
    reader.Fail("lookup", "only \"subject_last\" is edited by this version");
  if (fact.kind == FactKind::kRefuse || fact.kind == FactKind::kForget)
    reader.Fail("kind", "only \"replace\" and \"insert\" are edited by this version");
  return fact;
}

}  // namespace

void ReadFacts(Reader& reader, std::vector<Fact>& facts) {
  reader.List("facts", kFactsMax,
              [&facts](Reader item) { facts.push_back(ReadFact(std::move(item))); });
  if (facts.empty()) reader.Fail("facts", "found no fact, expected at least one");
}

}  // namespace emend::coordinator::operations
