// Filters, tests, and arguments held against what a row of builtin.h takes.
#include <algorithm>

#include "worker/chat/parser.h"

namespace emend::worker::chat {
namespace {

// Whether a test without brackets has an argument here ("is divisibleby 3"): Jinja takes any value
// but these words.
bool BeginsArgument(const Token& token) {
  static constexpr std::string_view kWords[] = {"else", "or", "and", "is"};
  switch (token.kind) {
    case TokenKind::kName: return std::ranges::find(kWords, token.text) == std::end(kWords);
    case TokenKind::kString:
    case TokenKind::kInteger:
    case TokenKind::kFloat: return true;
    case TokenKind::kSign: return token.text == "[" || token.text == "{";
    default: return false;
  }
}

}  // namespace

Result<ExpressionPtr> Parser::ParseFilter(ExpressionPtr subject) {
  const int line = Next().line;
  EMEND_ASSIGN_OR_RETURN(const std::string name, ExpectName("a filter"));
  const Builtin* const row = FindFilter(name);
  if (row == nullptr)
    return Unknown(line, "the filter \"" + name + "\" (known: " + NamesOf(Table::kFilters) + ")");
  Arguments arguments;
  if (NowIsSign("(")) {
    EMEND_ASSIGN_OR_RETURN(arguments, ParseArguments());
  }
  return Bound(*row, "filter", std::move(subject), std::move(arguments), line);
}

Result<ExpressionPtr> Parser::ParseTest(ExpressionPtr subject) {
  const int line = Next().line;
  const bool is_negated = Skip(TokenKind::kName, "not");
  EMEND_ASSIGN_OR_RETURN(const std::string name, ExpectName("a test"));
  const Builtin* const row = FindTest(name);
  if (row == nullptr)
    return Unknown(line, "the test \"" + name + "\" (known: " + NamesOf(Table::kTests) + ")");
  Arguments arguments;
  if (NowIsSign("(")) {
    EMEND_ASSIGN_OR_RETURN(arguments, ParseArguments());
  } else if (!row->parameters.empty() && BeginsArgument(Now())) {
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr argument, ParsePrimary());
    EMEND_ASSIGN_OR_RETURN(argument, ParsePostfix(std::move(argument)));
    arguments.positional.push_back(std::move(argument));
  }
  EMEND_ASSIGN_OR_RETURN(ExpressionPtr test,
                         Bound(*row, "test", std::move(subject), std::move(arguments), line));
  if (!is_negated) return test;
  auto negation = std::make_unique<Negation>();
  negation->line = line;
  negation->height = test->height + 1;
  negation->operand = std::move(test);
  return ExpressionPtr(std::move(negation));
}

Result<Arguments> Parser::ParseArguments() {
  Next();
  Arguments arguments;
  std::set<std::string> names;
  while (!NowIsSign(")")) {
    if (!arguments.positional.empty() || !arguments.named.empty())
      EMEND_RETURN_IF_ERROR(Expect(TokenKind::kSign, ","));
    if (NowIsSign(")")) break;
    if (NowIsSign("*") || NowIsSign("**")) return Unknown(Now().line, "unpacking of arguments");
    const bool is_named =
        Now().kind == TokenKind::kName && tokens_[at_ + 1].Is(TokenKind::kSign, "=");
    std::string name;
    if (is_named) {
      name = Next().text;
      if (!names.insert(name).second)
        return BadTemplate(Now().line, "the argument \"" + name + "\" stands twice in a call");
      Next();
    } else if (!arguments.named.empty()) {
      return BadTemplate(Now().line, "an argument without a name stands after one with a name");
    }
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr value, ParseExpression());
    if (is_named) {
      arguments.named.emplace_back(name, std::move(value));
    } else {
      arguments.positional.push_back(std::move(value));
    }
  }
  Next();
  return arguments;
}

Result<ExpressionPtr> Parser::Bound(const Builtin& row, std::string_view role,
                                    ExpressionPtr subject, Arguments arguments, int line) {
  const std::string called = "the " + std::string(role) + " \"" + std::string(row.name) + "\"";
  auto call = std::make_unique<BuiltinCall>();
  call->row = &row;
  call->arguments = std::move(arguments.positional);
  if (row.TakesAny()) {
    call->named = std::move(arguments.named);
  } else {
    const std::vector<Parameter> parameters = ParametersOf(row);
    if (call->arguments.size() > parameters.size())
      return BadTemplate(line, called + " takes at most " + std::to_string(parameters.size()) +
                                   " arguments, found " + std::to_string(call->arguments.size()));
    call->arguments.resize(parameters.size());
    for (auto& [name, value] : arguments.named) {
      const auto found = std::ranges::find(parameters, name, &Parameter::name);
      if (found == parameters.end())
        return Unknown(line, "the argument \"" + name + "\" of " + called);
      ExpressionPtr& argument =
          call->arguments[static_cast<std::size_t>(found - parameters.begin())];
      if (argument != nullptr)
        return BadTemplate(line, called + " is given \"" + name + "\" twice");
      argument = std::move(value);
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (call->arguments[i] == nullptr && !parameters[i].is_optional)
        return BadTemplate(
            line, called + " lacks the argument \"" + std::string(parameters[i].name) + "\"");
    }
  }
  int below = subject == nullptr ? 0 : subject->height;
  for (const ExpressionPtr& each : call->arguments)
    below = std::max(below, each == nullptr ? 0 : each->height);
  for (const auto& [name, each] : call->named) below = std::max(below, each->height);
  call->height = below + 1;
  call->subject = std::move(subject);
  return Over(std::move(call), line, {});
}

}  // namespace emend::worker::chat
