#include "storage/objects/fact_encoding.h"

namespace emend::storage::objects {
namespace {

constexpr std::uint16_t kFactVersion = 1;

void EncodeTexts(Encoder& out, const std::vector<std::string>& texts) {
  out.Count(texts.size());
  for (const std::string& text : texts) out.Text(text);
}

std::vector<std::string> DecodeTexts(Decoder& in) {
  std::vector<std::string> texts(in.Count(sizeof(std::uint32_t)));
  for (std::string& text : texts) text = in.Text();
  return texts;
}

template <typename Enum>
Enum DecodeEnum(Decoder& in, Enum last, const char* what) {
  const std::uint8_t value = in.U8();
  if (in.ok() && (value == 0 || value > static_cast<std::uint8_t>(last))) {
    in.Fail("found " + std::to_string(value) + " for a fact's " + what + ", expected 1 to " +
            std::to_string(static_cast<int>(last)));
  }
  return in.ok() ? static_cast<Enum>(value) : last;
}

}  // namespace

void EncodeFact(Encoder& out, const Fact& fact) {
  out.U16(static_cast<std::uint16_t>(RecordType::kFact));
  out.U16(kFactVersion);
  out.Text(fact.id);
  out.Text(fact.prompt);
  out.Text(fact.subject);
  out.Text(fact.target);
  out.Bool(fact.old_target.has_value());
  if (fact.old_target) out.Text(*fact.old_target);
  out.Text(fact.relation);
  out.Text(fact.language);
  EncodeTexts(out, fact.paraphrases);
  EncodeTexts(out, fact.neighbours);
  EncodeTexts(out, fact.portability);
  out.U8(static_cast<std::uint8_t>(fact.lookup));
  out.U8(static_cast<std::uint8_t>(fact.kind));
}

Fact DecodeFact(Decoder& in) {
  in.Record(RecordType::kFact, kFactVersion);
  Fact fact;
  fact.id = in.Text();
  fact.prompt = in.Text();
  fact.subject = in.Text();
  fact.target = in.Text();
  if (in.Bool()) fact.old_target = in.Text();
  fact.relation = in.Text();
  fact.language = in.Text();
  fact.paraphrases = DecodeTexts(in);
  fact.neighbours = DecodeTexts(in);
  fact.portability = DecodeTexts(in);
  fact.lookup = DecodeEnum(in, Lookup::kSpan, "lookup");
  fact.kind = DecodeEnum(in, FactKind::kForget, "kind");
  return fact;
}

}  // namespace emend::storage::objects
