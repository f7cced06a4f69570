// Tokens to a tree, by Jinja's grammar.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "worker/chat/lexer.h"
#include "worker/chat/nodes.h"

namespace emend::worker::chat {

// Arguments as they are written.
struct Arguments {
  Expressions positional;
  NamedExpressions named;
};

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // kInvalidArgument "bad_chat_template", kUnsupported "unsupported_chat_template", both with the
  // line; kResourceExhausted for nesting over kNestingMax.
  Result<Body> ParseTemplate();

 private:
  // Where the parser stands, of what nests.
  struct Place {
    int nesting = 0;
    bool is_in_loop = false;  // so that break and continue have one
    bool is_in_macro = false;
    bool is_in_block = false;  // in a for, macro, set or generation: a macro may not begin
  };
  // Sets a place back when it ends.
  class Inner {
   public:
    explicit Inner(Place& place) : place_(place), outer_(place) { ++place_.nesting; }
    ~Inner() { place_ = outer_; }
    Inner(const Inner&) = delete;
    Inner& operator=(const Inner&) = delete;

   private:
    Place& place_;
    const Place outer_;
  };

  // parse_statements.cc
  Result<Body> ParseBody(std::initializer_list<std::string_view> ends);
  Result<std::unique_ptr<const Statement>> ParseStatement(const Token& keyword);
  Result<std::unique_ptr<const Statement>> ParseOutput();
  Result<std::unique_ptr<const Statement>> ParseIf();
  Result<std::unique_ptr<const Statement>> ParseFor();
  Result<std::unique_ptr<const Statement>> ParseSet();
  Result<std::unique_ptr<const Statement>> ParseMacro();
  Result<std::unique_ptr<const Statement>> ParseGeneration();
  Result<std::unique_ptr<const Statement>> ParseBreak();
  Result<std::unique_ptr<const Statement>> ParseContinue();
  Result<Target> ParseTarget(std::string_view end);
  Result<Target> ParseOneTarget();
  Status ExpectBlockEnd();
  // Past "{% word %}", which ParseBody has stopped at.
  Status EndBlock();
  Status CheckMacrosKnown() const;

  // parse_expressions.cc, from the loosest operators to the tightest
  enum class Conditionals { kTaken, kLeft };  // whether "a if b" is one, or "if" ends it
  Result<ExpressionPtr> ParseTuple(Conditionals conditionals);
  Result<ExpressionPtr> ParseExpression();
  Result<ExpressionPtr> ParseLogic(bool is_and);  // NOLINT
  Result<ExpressionPtr> ParseNot();
  Result<ExpressionPtr> ParseComparison();
  Result<ExpressionPtr> ParseBinary(std::size_t level);
  Result<ExpressionPtr> ParseUnary(bool with_filters);  // NOLINT
  Result<ExpressionPtr> ParsePrimary();
  Result<ExpressionPtr> ParseName();
  Result<ExpressionPtr> ParseBracketed();
  Result<ExpressionPtr> ParseDict();
  Result<ExpressionPtr> ParsePostfix(ExpressionPtr expression);
  Result<ExpressionPtr> ParseFilters(ExpressionPtr expression);
  Result<ExpressionPtr> ParseFilter(ExpressionPtr subject);
  Result<ExpressionPtr> ParseTest(ExpressionPtr subject);
  Result<ExpressionPtr> ParseMember(ExpressionPtr object);
  Result<ExpressionPtr> ParseIndex(ExpressionPtr object);
  Result<ExpressionPtr> ParseCall(const std::string& name, int line);
  Result<Arguments> ParseArguments();
  Result<ExpressionPtr> Bound(const Builtin& row, std::string_view role, ExpressionPtr subject,
                              Arguments arguments, int line);

  // The node, over those that it holds. Fails if the tree is too high.
  template <typename Node>
  Result<ExpressionPtr> Over(std::unique_ptr<Node> node, int line,
                             std::initializer_list<const ExpressionPtr*> below);
  Status CheckNesting() const;

  const Token& Now() const { return tokens_[at_]; }
  const Token& Next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool NowIs(TokenKind kind, std::string_view text) const { return Now().Is(kind, text); }
  bool NowIsSign(std::string_view sign) const { return NowIs(TokenKind::kSign, sign); }
  bool NowIsWord(std::string_view word) const { return NowIs(TokenKind::kName, word); }
  // Goes past it if it stands here.
  bool Skip(TokenKind kind, std::string_view text);
  Status Expect(TokenKind kind, std::string_view text);
  Result<std::string> ExpectName(std::string_view of_what);
  Status Unexpected(std::string_view expected) const;
  Status Unknown(int line, std::string_view what) const;

  const std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Place place_;
  std::set<std::string> macros_;
  std::vector<std::pair<std::string, int>> called_;  // names of macros, and the lines
};

}  // namespace emend::worker::chat
