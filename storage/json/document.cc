#include "storage/json/document.h"

#include <algorithm>

#include "storage/json/document_impl.h"
#include "storage/json/reader.h"

namespace emend::storage::json {

Status MalformedJson(std::string_view text, const TextFault& fault) {
  std::string place;
  if (fault.byte) {
    const std::string_view before = text.substr(0, *fault.byte);
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    place = "line " + std::to_string(1 + std::ranges::count(before, '\n')) + ", column " +
            std::to_string(before.size() - line_begin + 1) + ": ";
  }
  return {StatusCode::kInvalidArgument, "malformed_json", place + fault.what};
}

Document::Document(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;
Value Document::root() const { return Value(&impl_->root); }
Reader Document::Root() { return {*impl_, root(), ""}; }
const std::vector<Problem>& Document::problems() const { return impl_->problems; }

Status Document::status() const {
  if (impl_->problems.empty()) return OkStatus();
  const Problem& first = impl_->problems.front();
  return InvalidArgument("at " + first.pointer + ": " + first.message);
}

Result<Document> Document::Parse(std::string_view text, Top top) {
  Builder builder(kDepthMax);
  if (!builder.Parse(text))
    return MalformedJson(text, builder.fault()).WithContext("reading the JSON");
  Document document(std::make_unique<Impl>(std::move(builder.root())));
  if (top == Top::kObject && !document.root().is(Kind::kObject)) {
    return Status(StatusCode::kInvalidArgument, "malformed_json",
                  "reading the JSON: expected an object, found " + document.root().Found());
  }
  return document;
}

}  // namespace emend::storage::json
