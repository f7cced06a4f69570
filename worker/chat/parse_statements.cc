#include <algorithm>

#include "storage/base/utf8.h"
#include "worker/chat/parser.h"

namespace emend::worker::chat {

using StatementPtr = std::unique_ptr<const Statement>;

namespace {

constexpr std::size_t kParametersMax = 64;  // of a macro

}  // namespace

bool Parser::Skip(TokenKind kind, std::string_view text) {
  if (!NowIs(kind, text)) return false;
  Next();
  return true;
}

Status Parser::Expect(TokenKind kind, std::string_view text) {
  if (Skip(kind, text)) return OkStatus();
  return Unexpected("\"" + std::string(text) + "\"");
}

Result<std::string> Parser::ExpectName(std::string_view of_what) {
  if (Now().kind != TokenKind::kName) return Unexpected("the name of " + std::string(of_what));
  return Next().text;
}

Status Parser::Unexpected(std::string_view expected) const {
  const std::string found = Now().kind == TokenKind::kEnd ? "the end of the template"
                                                          : "\"" + Shortened(Now().text, 40) + "\"";
  return BadTemplate(Now().line, "expected " + std::string(expected) + ", found " + found);
}

Status Parser::Unknown(int line, std::string_view what) const {
  return NotSupported("line " + std::to_string(line) + ": " + std::string(what));
}

Result<Body> Parser::ParseTemplate() {
  EMEND_ASSIGN_OR_RETURN(Body body, ParseBody({}));
  if (Now().kind != TokenKind::kEnd) return Unexpected("the end of the template");
  EMEND_RETURN_IF_ERROR(CheckMacrosKnown());
  return body;
}

// A macro may be called before it stands in the template, by another macro.
Status Parser::CheckMacrosKnown() const {
  for (const auto& [name, line] : called_) {
    if (!macros_.contains(name))
      return Unknown(line, "the function \"" + name + "\" (known: " + NamesOf(Table::kGlobals) +
                               ", and macros of the template)");
  }
  return OkStatus();
}

// Statements up to one of `ends`, past whose word it stands then; up to the end of the template if
// there are none.
Result<Body> Parser::ParseBody(std::initializer_list<std::string_view> ends) {
  const Inner inner(place_);
  EMEND_RETURN_IF_ERROR(CheckNesting());
  const int line = at_ == 0 ? 1 : tokens_[at_ - 1].line;
  Body body;
  while (Now().kind != TokenKind::kEnd) {
    if (Now().kind == TokenKind::kText) {
      auto text = std::make_unique<TextStatement>();
      text->line = Now().line;
      text->text = Next().text;
      body.statements.push_back(std::move(text));
      continue;
    }
    if (Now().kind == TokenKind::kOutputBegin) {
      EMEND_ASSIGN_OR_RETURN(StatementPtr output, ParseOutput());
      body.statements.push_back(std::move(output));
      continue;
    }
    Next();  // {%
    const Token& keyword = Now();
    if (keyword.kind != TokenKind::kName) return Unexpected("the name of a statement");
    if (std::ranges::find(ends, keyword.text) != ends.end()) return body;
    Next();
    EMEND_ASSIGN_OR_RETURN(StatementPtr statement, ParseStatement(keyword));
    body.statements.push_back(std::move(statement));
  }
  if (ends.size() == 0) return body;
  return BadTemplate(line, "what begins here has no \"" + std::string(*(ends.end() - 1)) + "\"");
}

Status Parser::ExpectBlockEnd() {
  if (Now().kind != TokenKind::kBlockEnd) return Unexpected("\"%}\"");
  Next();
  return OkStatus();
}

Status Parser::EndBlock() {
  Next();
  return ExpectBlockEnd();
}

Result<StatementPtr> Parser::ParseStatement(const Token& keyword) {
  struct Row {
    std::string_view word;
    Result<StatementPtr> (Parser::*parse)();
  };
  static constexpr Row kStatements[] = {{"if", &Parser::ParseIf},
                                        {"for", &Parser::ParseFor},
                                        {"set", &Parser::ParseSet},
                                        {"macro", &Parser::ParseMacro},
                                        {"break", &Parser::ParseBreak},
                                        {"continue", &Parser::ParseContinue},
                                        {"generation", &Parser::ParseGeneration}};
  const auto* const row = std::ranges::find(kStatements, keyword.text, &Row::word);
  if (row != std::end(kStatements)) return (this->*row->parse)();
  if (keyword.text.starts_with("end") || keyword.text.starts_with("el"))
    return BadTemplate(keyword.line, "\"" + keyword.text + "\" ends nothing");
  std::string known;
  for (const Row& each : kStatements) known += (known.empty() ? "" : ", ") + std::string(each.word);
  return Unknown(keyword.line, "the statement \"" + keyword.text + "\" (known: " + known + ")");
}

Result<StatementPtr> Parser::ParseOutput() {
  auto output = std::make_unique<OutputStatement>();
  output->line = Next().line;
  EMEND_ASSIGN_OR_RETURN(output->value, ParseTuple(Conditionals::kTaken));
  if (Now().kind != TokenKind::kOutputEnd) return Unexpected("\"}}\"");
  Next();
  const auto* const filter = dynamic_cast<const BuiltinCall*>(output->value.get());
  const bool is_safe = filter != nullptr && filter->row->name == "safe";
  output->shown = is_safe ? filter->subject.get() : output->value.get();
  return StatementPtr(std::move(output));
}

Result<StatementPtr> Parser::ParseIf() {
  auto statement = std::make_unique<IfStatement>();
  statement->line = Now().line;
  for (;;) {
    EMEND_ASSIGN_OR_RETURN(ExpressionPtr condition, ParseTuple(Conditionals::kLeft));
    EMEND_RETURN_IF_ERROR(ExpectBlockEnd());
    EMEND_ASSIGN_OR_RETURN(Body body, ParseBody({"elif", "else", "endif"}));
    statement->branches.emplace_back(std::move(condition), std::move(body));
    if (!Skip(TokenKind::kName, "elif")) break;
  }
  if (NowIsWord("else")) {
    EMEND_RETURN_IF_ERROR(EndBlock());
    EMEND_ASSIGN_OR_RETURN(statement->otherwise, ParseBody({"endif"}));
  }
  EMEND_RETURN_IF_ERROR(EndBlock());
  return StatementPtr(std::move(statement));
}

Result<StatementPtr> Parser::ParseFor() {
  auto statement = std::make_unique<ForStatement>();
  statement->line = Now().line;
  EMEND_ASSIGN_OR_RETURN(statement->target, ParseTarget("in"));
  EMEND_RETURN_IF_ERROR(Expect(TokenKind::kName, "in"));
  EMEND_ASSIGN_OR_RETURN(statement->sequence, ParseTuple(Conditionals::kLeft));
  if (Skip(TokenKind::kName, "if")) {
    EMEND_ASSIGN_OR_RETURN(statement->condition, ParseExpression());
  }
  if (NowIsWord("recursive")) return Unknown(Now().line, "a recursive loop");
  EMEND_RETURN_IF_ERROR(ExpectBlockEnd());
  {
    const Inner inner(place_);
    place_.is_in_loop = place_.is_in_block = true;
    EMEND_ASSIGN_OR_RETURN(statement->body, ParseBody({"else", "endfor"}));
  }
  if (NowIsWord("else")) {
    const Inner inner(place_);
    place_.is_in_block = true;
    EMEND_RETURN_IF_ERROR(EndBlock());
    EMEND_ASSIGN_OR_RETURN(statement->if_empty, ParseBody({"endfor"}));
  }
  EMEND_RETURN_IF_ERROR(EndBlock());
  return StatementPtr(std::move(statement));
}

Result<StatementPtr> Parser::ParseSet() {
  const int line = Now().line;
  EMEND_ASSIGN_OR_RETURN(Target target, ParseTarget("="));
  if (Skip(TokenKind::kSign, "=")) {
    auto statement = std::make_unique<SetStatement>();
    statement->line = line;
    statement->target = std::move(target);
    EMEND_ASSIGN_OR_RETURN(statement->value, ParseTuple(Conditionals::kTaken));
    EMEND_RETURN_IF_ERROR(ExpectBlockEnd());
    return StatementPtr(std::move(statement));
  }
  if (NowIsSign("|")) return Unknown(line, "a \"set\" block with filters");
  EMEND_RETURN_IF_ERROR(ExpectBlockEnd());
  auto statement = std::make_unique<SetBlockStatement>();
  statement->line = line;
  statement->target = std::move(target);
  const Inner inner(place_);
  place_.is_in_loop = false;
  place_.is_in_block = true;
  EMEND_ASSIGN_OR_RETURN(statement->body, ParseBody({"endset"}));
  EMEND_RETURN_IF_ERROR(EndBlock());
  return StatementPtr(std::move(statement));
}

Result<StatementPtr> Parser::ParseMacro() {
  auto macro = std::make_unique<MacroStatement>();
  macro->line = Now().line;
  if (place_.is_in_block) return Unknown(macro->line, "a macro inside another block");
  EMEND_ASSIGN_OR_RETURN(macro->name, ExpectName("a macro"));
  macros_.insert(macro->name);
  EMEND_RETURN_IF_ERROR(Expect(TokenKind::kSign, "("));
  while (!NowIsSign(")")) {
    if (!macro->parameters.empty()) EMEND_RETURN_IF_ERROR(Expect(TokenKind::kSign, ","));
    EMEND_ASSIGN_OR_RETURN(std::string name, ExpectName("a parameter"));
    if (macro->parameters.size() == kParametersMax)
      return ResourceExhausted("line " + std::to_string(macro->line) + ": the macro \"" +
                               macro->name + "\" has more than " + std::to_string(kParametersMax) +
                               " parameters");
    ExpressionPtr if_left_out;
    if (Skip(TokenKind::kSign, "=")) {
      EMEND_ASSIGN_OR_RETURN(if_left_out, ParseExpression());
    } else if (!macro->parameters.empty() && macro->parameters.back().second != nullptr) {
      return BadTemplate(macro->line, "the parameter \"" + name + "\" without a default stands " +
                                          "after one with a default");
    }
    macro->parameters.emplace_back(std::move(name), std::move(if_left_out));
  }
  Next();
  EMEND_RETURN_IF_ERROR(ExpectBlockEnd());
  const Inner inner(place_);
  place_.is_in_loop = false;
  place_.is_in_macro = place_.is_in_block = true;
  EMEND_ASSIGN_OR_RETURN(macro->body, ParseBody({"endmacro"}));
  EMEND_RETURN_IF_ERROR(EndBlock());
  return StatementPtr(std::move(macro));
}

Result<StatementPtr> Parser::ParseGeneration() {
  auto statement = std::make_unique<GenerationStatement>();
  statement->line = Now().line;
  EMEND_RETURN_IF_ERROR(ExpectBlockEnd());
  const Inner inner(place_);
  place_.is_in_loop = false;
  place_.is_in_block = true;
  EMEND_ASSIGN_OR_RETURN(statement->body, ParseBody({"endgeneration"}));
  EMEND_RETURN_IF_ERROR(EndBlock());
  return StatementPtr(std::move(statement));
}

Result<StatementPtr> Parser::ParseBreak() {
  auto statement = std::make_unique<JumpStatement>();
  statement->line = Now().line;
  if (!place_.is_in_loop)
    return BadTemplate(statement->line, "\"break\" or \"continue\" outside a loop");
  EMEND_RETURN_IF_ERROR(ExpectBlockEnd());
  return StatementPtr(std::move(statement));
}

Result<StatementPtr> Parser::ParseContinue() {
  EMEND_ASSIGN_OR_RETURN(StatementPtr jump, ParseBreak());
  auto statement = std::make_unique<JumpStatement>();
  statement->line = jump->line;
  statement->flow = Flow::kContinue;
  return StatementPtr(std::move(statement));
}

// One target or several with commas between them, up to `end`.
Result<Target> Parser::ParseTarget(std::string_view end) {
  EMEND_ASSIGN_OR_RETURN(Target first, ParseOneTarget());
  if (!NowIsSign(",")) return first;
  Target target;
  target.parts.push_back(std::move(first));
  while (Skip(TokenKind::kSign, ",")) {
    if (Now().text == end) break;
    EMEND_ASSIGN_OR_RETURN(Target part, ParseOneTarget());
    target.parts.push_back(std::move(part));
  }
  return target;
}

Result<Target> Parser::ParseOneTarget() {
  if (Skip(TokenKind::kSign, "(")) {
    const Inner inner(place_);
    EMEND_RETURN_IF_ERROR(CheckNesting());
    EMEND_ASSIGN_OR_RETURN(Target target, ParseTarget(")"));
    EMEND_RETURN_IF_ERROR(Expect(TokenKind::kSign, ")"));
    return target;
  }
  Target target;
  EMEND_ASSIGN_OR_RETURN(target.name, ExpectName("what is set"));
  static constexpr std::string_view kConstants[] = {"true",  "false", "none", "True",
                                                    "False", "None",  "loop"};
  if (std::ranges::find(kConstants, target.name) != std::end(kConstants))
    return BadTemplate(Now().line, "\"" + target.name + "\" cannot be set");
  if (Skip(TokenKind::kSign, ".")) {
    EMEND_ASSIGN_OR_RETURN(target.attribute, ExpectName("an attribute"));
  }
  return target;
}

}  // namespace emend::worker::chat
