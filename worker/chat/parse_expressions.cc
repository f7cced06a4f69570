#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "storage/base/utf8.h"
#include "worker/chat/parser.h"

namespace emend::worker::chat {
namespace {

// Operators that bind alike, from the loosest to the tightest.
constexpr std::array<std::string_view, 4> kLevels[] = {
    {"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"}};

std::unique_ptr<Constant> NewConstant(Value value) {
  auto constant = std::make_unique<Constant>();
  constant->value = std::move(value);
  return constant;
}

}  // namespace

template <typename Node>
Result<ExpressionPtr> Parser::Over(std::unique_ptr<Node> node, int line,
                                   std::initializer_list<const ExpressionPtr*> below) {
  for (const ExpressionPtr* const each : below) {
    if (*each != nullptr) node->height = std::max(node->height, (*each)->height + 1);
  }
  node->line = line;
  if (node->height <= kNestingMax) return ExpressionPtr(std::move(node));
  return ResourceExhausted("line " + std::to_string(line) + ": more than " +
                           std::to_string(kNestingMax) +
                           " operators inside each other or in a row");
}

Status Parser::CheckNesting() const {
  if (place_.nesting <= kNestingMax) return OkStatus();
  return ResourceExhausted("line " + std::to_string(Now().line) + ": it nests deeper than " +
                           std::to_string(kNestingMax) + " levels");
}

// One expression, or a tuple of several without brackets.
Result<ExpressionPtr> Parser::ParseTuple(Conditionals conditionals) {
  const int line = Now().line;
  const auto parse = [&] {
    return conditionals == Conditionals::kTaken ? ParseExpression() : ParseLogic(false);
  };
  EMEND_ASSIGN_OR_RETURN(ExpressionPtr first, parse());
  if (!NowIsSign(",")) return first;
  auto tuple = std::make_unique<SequenceLiteral>();
  tuple->kind = SequenceKind::kTuple;
  tuple->height = first->height + 1;
  tuple->items.push_back(std::move(first));
  while (Skip(TokenKind::kSign, ",")) {
    const bool ends =
        Now().kind == TokenKind::kOutputEnd || Now().kind == TokenKind::kBlockEnd || NowIsSign(")");
    if (ends) break;
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr item, parse());
    tuple->height = std::max(tuple->height, item->height + 1);
    tuple->items.push_back(std::move(item));
  }
  return Over(std::move(tuple), line, {});
}

Result<ExpressionPtr> Parser::ParseExpression() {
  const Inner inner(place_);
  EMEND_RETURN_IF_ERROR(CheckNesting());
  EMEND_ASSIGN_OR_RETURN(ExpressionPtr expression, ParseLogic(false));
  while (NowIsWord("if")) {
    const int line = Next().line;
    auto conditional = std::make_unique<Conditional>();
    conditional->if_true = std::move(expression);
    EMEND_ASSIGN_OR_RETURN(conditional->condition, ParseLogic(false));
    if (Skip(TokenKind::kName, "else")) {
      EMEND_ASSIGN_OR_RETURN(conditional->if_false, ParseExpression());
    }
    auto* const node = conditional.get();
    EMEND_ASSIGN_OR_RETURN(expression, Over(std::move(conditional), line,
                                            {&node->condition, &node->if_true, &node->if_false}));
  }
  return expression;
}

Result<ExpressionPtr> Parser::ParseLogic(bool is_and) {
  const auto parse = [&] { return is_and ? ParseNot() : ParseLogic(true); };
  EMEND_ASSIGN_OR_RETURN(ExpressionPtr left, parse());
  while (NowIsWord(is_and ? "and" : "or")) {
    const int line = Next().line;
    auto logic = std::make_unique<Logic>();
    logic->is_and = is_and;
    logic->left = std::move(left);
    EMEND_ASSIGN_OR_RETURN(logic->right, parse());
    auto* const node = logic.get();
    EMEND_ASSIGN_OR_RETURN(left, Over(std::move(logic), line, {&node->left, &node->right}));
  }
  return left;
}

Result<ExpressionPtr> Parser::ParseNot() {
  if (!NowIsWord("not")) return ParseComparison();
  const Inner inner(place_);
  EMEND_RETURN_IF_ERROR(CheckNesting());
  const int line = Next().line;
  auto negation = std::make_unique<Negation>();
  EMEND_ASSIGN_OR_RETURN(negation->operand, ParseNot());
  auto* const node = negation.get();
  return Over(std::move(negation), line, {&node->operand});
}

Result<ExpressionPtr> Parser::ParseComparison() {
  const int line = Now().line;
  EMEND_ASSIGN_OR_RETURN(ExpressionPtr first, ParseBinary(0));
  auto comparison = std::make_unique<Comparison>();
  comparison->height = first->height + 1;
  for (;;) {
    const bool is_not_in = NowIsWord("not") && tokens_[at_ + 1].Is(TokenKind::kName, "in");
    const bool may_be = Now().kind == TokenKind::kSign || NowIsWord("in");
    const Comparator* const row = is_not_in ? FindComparator("not in")
                                  : may_be  ? FindComparator(Now().text)
                                            : nullptr;
    if (row == nullptr) break;
    Next();
    if (is_not_in) Next();
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr other, ParseBinary(0));
    comparison->height = std::max(comparison->height, other->height + 1);
    comparison->others.emplace_back(row, std::move(other));
  }
  if (comparison->others.empty()) return first;
  comparison->first = std::move(first);
  return Over(std::move(comparison), line, {});
}

Result<ExpressionPtr> Parser::ParseBinary(std::size_t level) {
  if (level == std::size(kLevels)) return ParseUnary(true);
  EMEND_ASSIGN_OR_RETURN(ExpressionPtr left, ParseBinary(level + 1));
  while (Now().kind == TokenKind::kSign &&
         std::ranges::find(kLevels[level], Now().text) != kLevels[level].end()) {
    const Token& sign = Next();
    auto binary = std::make_unique<Binary>();
    binary->row = FindBinary(sign.text);
    binary->left = std::move(left);
    EMEND_ASSIGN_OR_RETURN(binary->right, ParseBinary(level + 1));
    auto* const node = binary.get();
    EMEND_ASSIGN_OR_RETURN(left, Over(std::move(binary), sign.line, {&node->left, &node->right}));
  }
  return left;
}

Result<ExpressionPtr> Parser::ParseUnary(bool with_filters) {
  const Inner inner(place_);
  EMEND_RETURN_IF_ERROR(CheckNesting());
  ExpressionPtr expression;
  if (NowIsSign("-") || NowIsSign("+")) {
    const Token& sign = Next();
    auto negative = std::make_unique<Signed>();
    negative->is_minus = sign.text == "-";
    EMEND_ASSIGN_OR_RETURN(negative->operand, ParseUnary(false));
    auto* const node = negative.get();
    EMEND_ASSIGN_OR_RETURN(expression, Over(std::move(negative), sign.line, {&node->operand}));
  } else {
    EMEND_ASSIGN_OR_RETURN(expression, ParsePrimary());
  }
  EMEND_ASSIGN_OR_RETURN(expression, ParsePostfix(std::move(expression)));
  if (!with_filters) return expression;
  return ParseFilters(std::move(expression));
}

Result<ExpressionPtr> Parser::ParsePrimary() {
  const Token& token = Now();
  switch (token.kind) {
    case TokenKind::kName: return ParseName();
    case TokenKind::kString: {
      std::string text = Next().text;
      while (Now().kind == TokenKind::kString) text += Next().text;
      return Over(NewConstant(Value::Text(std::move(text))), token.line, {});
    }
    case TokenKind::kInteger: {
      std::int64_t integer = 0;
      const char* const end = token.text.data() + token.text.size();
      if (std::from_chars(token.text.data(), end, integer).ec != std::errc())
        return Unknown(token.line, "the integer " + Shortened(token.text) + ", beyond 64 bits,");
      Next();
      return Over(NewConstant(Value::Of(integer)), token.line, {});
    }
    case TokenKind::kFloat: {
      double number = 0;
      std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
      Next();
      return Over(NewConstant(Value::Of(number)), token.line, {});
    }
    default: break;
  }
  if (NowIsSign("(") || NowIsSign("[")) return ParseBracketed();
  if (NowIsSign("{")) return ParseDict();
  return Unexpected("a value");
}

Result<ExpressionPtr> Parser::ParseName() {
  const Token& token = Next();
  const std::string& name = token.text;
  const auto constant = [&](Value value) {
    return Over(NewConstant(std::move(value)), token.line, {});
  };
  if (name == "true" || name == "True") return constant(Value::Of(true));
  if (name == "false" || name == "False") return constant(Value::Of(false));
  if (name == "none" || name == "None") return constant(Value::None());
  if (NowIsSign("(")) return ParseCall(name, token.line);
  const bool is_of_macro = name == "caller" || name == "varargs" || name == "kwargs";
  if (name == "self" || (place_.is_in_macro && is_of_macro))
    return Unknown(token.line, "the variable \"" + name + "\"");
  auto variable = std::make_unique<Name>();
  variable->name = name;
  return Over(std::move(variable), token.line, {});
}

// A list; a tuple; an expression in brackets.
Result<ExpressionPtr> Parser::ParseBracketed() {
  const Token& opening = Next();
  if (opening.text == "(" && !NowIsSign(")")) {
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr inside, ParseTuple(Conditionals::kTaken));
    EMEND_RETURN_IF_ERROR(Expect(TokenKind::kSign, ")"));
    return inside;
  }
  const std::string_view closing = opening.text == "(" ? ")" : "]";
  auto sequence = std::make_unique<SequenceLiteral>();
  sequence->kind = opening.text == "(" ? SequenceKind::kTuple : SequenceKind::kList;
  while (!NowIsSign(closing)) {
    if (!sequence->items.empty()) EMEND_RETURN_IF_ERROR(Expect(TokenKind::kSign, ","));
    if (NowIsSign(closing)) break;
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr item, ParseExpression());
    sequence->height = std::max(sequence->height, item->height + 1);
    sequence->items.push_back(std::move(item));
  }
  Next();
  return Over(std::move(sequence), opening.line, {});
}

Result<ExpressionPtr> Parser::ParseDict() {
  const int line = Next().line;
  auto dict = std::make_unique<DictLiteral>();
  while (!NowIsSign("}")) {
    if (!dict->entries.empty()) EMEND_RETURN_IF_ERROR(Expect(TokenKind::kSign, ","));
    if (NowIsSign("}")) break;
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr key, ParseExpression());
    EMEND_RETURN_IF_ERROR(Expect(TokenKind::kSign, ":"));
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr value, ParseExpression());
    dict->height = std::max({dict->height, key->height + 1, value->height + 1});
    dict->entries.emplace_back(std::move(key), std::move(value));
  }
  Next();
  return Over(std::move(dict), line, {});
}

Result<ExpressionPtr> Parser::ParsePostfix(ExpressionPtr expression) {
  for (;;) {
    if (NowIsSign(".")) {
      EMEND_ASSIGN_OR_RETURN(expression, ParseMember(std::move(expression)));
    } else if (NowIsSign("[")) {
      EMEND_ASSIGN_OR_RETURN(expression, ParseIndex(std::move(expression)));
    } else if (NowIsSign("(")) {
      return Unknown(Now().line, "a call of what has no name");
    } else {
      return expression;
    }
  }
}

Result<ExpressionPtr> Parser::ParseFilters(ExpressionPtr expression) {
  for (;;) {
    if (NowIsSign("|")) {
      EMEND_ASSIGN_OR_RETURN(expression, ParseFilter(std::move(expression)));
    } else if (NowIsWord("is")) {
      EMEND_ASSIGN_OR_RETURN(expression, ParseTest(std::move(expression)));
    } else if (NowIsSign("(")) {
      return Unknown(Now().line, "a call of what has no name");
    } else {
      return expression;
    }
  }
}

// .name, .name(...) and .0
Result<ExpressionPtr> Parser::ParseMember(ExpressionPtr object) {
  const int line = Next().line;
  if (Now().kind == TokenKind::kInteger) {
    auto item = std::make_unique<Item>();
    item->object = std::move(object);
    EMEND_ASSIGN_OR_RETURN(item->key, ParsePrimary());
    auto* const node = item.get();
    return Over(std::move(item), line, {&node->object});
  }
  EMEND_ASSIGN_OR_RETURN(const std::string name, ExpectName("an attribute"));
  if (NowIsSign("(")) {
    const Builtin* const row = FindMethod(name);
    if (row == nullptr)
      return Unknown(line, "the method \"" + name + "\" (known: " + NamesOf(Table::kMethods) + ")");
    EMEND_ASSIGN_OR_RETURN(Arguments arguments, ParseArguments());
    return Bound(*row, "method", std::move(object), std::move(arguments), line);
  }
  auto attribute = std::make_unique<Attribute>();
  attribute->name = name;
  attribute->object = std::move(object);
  auto* const node = attribute.get();
  return Over(std::move(attribute), line, {&node->object});
}

// [key] and [start:stop:step]
Result<ExpressionPtr> Parser::ParseIndex(ExpressionPtr object) {
  const int line = Next().line;
  ExpressionPtr parts[3];
  std::size_t colons = 0;
  while (!NowIsSign("]")) {
    if (Skip(TokenKind::kSign, ":")) {
      if (++colons > 2) return BadTemplate(line, "a slice has more than three parts");
    } else if (NowIsSign(",")) {
      return Unknown(line, "an index of several values");
    } else if (parts[colons] != nullptr) {
      return Unexpected("\"]\" or \":\"");
    } else {
      EMEND_ASSIGN_OR_RETURN(parts[colons], ParseExpression());
    }
  }
  Next();
  if (colons == 0 && parts[0] == nullptr) return BadTemplate(line, "\"[]\" has no index");
  if (colons == 0) {
    auto item = std::make_unique<Item>();
    item->object = std::move(object);
    item->key = std::move(parts[0]);
    auto* const node = item.get();
    return Over(std::move(item), line, {&node->object, &node->key});
  }
  auto slice = std::make_unique<Slice>();
  slice->object = std::move(object);
  slice->start = std::move(parts[0]);
  slice->stop = std::move(parts[1]);
  slice->step = std::move(parts[2]);
  auto* const node = slice.get();
  return Over(std::move(slice), line, {&node->object, &node->start, &node->stop, &node->step});
}

// A function that every template sees, or a macro of this one.
Result<ExpressionPtr> Parser::ParseCall(const std::string& name, int line) {
  EMEND_ASSIGN_OR_RETURN(Arguments arguments, ParseArguments());
  const Builtin* const row = FindGlobal(name);
  if (row != nullptr && !macros_.contains(name))
    return Bound(*row, "function", nullptr, std::move(arguments), line);
  called_.emplace_back(name, line);
  auto call = std::make_unique<MacroCall>();
  call->name = name;
  for (const ExpressionPtr& each : arguments.positional)
    call->height = std::max(call->height, each->height + 1);
  for (const auto& [called, each] : arguments.named)
    call->height = std::max(call->height, each->height + 1);
  call->arguments = std::move(arguments.positional);
  call->named = std::move(arguments.named);
  return Over(std::move(call), line, {});
}

}  // namespace emend::worker::chat
