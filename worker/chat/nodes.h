// A template as a tree whose nodes evaluate themselves. Built by the parser, then constant: any
// number of threads may run one tree, each with a Run of its own.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "worker/chat/builtin.h"
#include "worker/chat/operators.h"
#include "worker/chat/run.h"
#include "worker/chat/value.h"

namespace emend::worker::chat {

struct Expression {
  virtual ~Expression() = default;
  // One step of the run; kResourceExhausted if too deep.
  Result<Value> Evaluate(Run& run) const;

  int line = 1;
  int height = 1;  // of the tree below it, which bounds the stack

 protected:
  virtual Result<Value> Compute(Run& run) const = 0;
};
using ExpressionPtr = std::unique_ptr<const Expression>;
using Expressions = std::vector<ExpressionPtr>;
using NamedExpressions = std::vector<std::pair<std::string, ExpressionPtr>>;

enum class Flow { kNext, kBreak, kContinue };

struct Statement {
  virtual ~Statement() = default;
  Result<Flow> Execute(Run& run) const;

  int line = 1;

 protected:
  virtual Result<Flow> Do(Run& run) const = 0;
};

struct Body {
  std::vector<std::unique_ptr<const Statement>> statements;

  // Stops after a statement that breaks or continues a loop.
  Result<Flow> Execute(Run& run) const;
};
// What the body writes, in a scope of its own inside `parent`.
Result<Value> Captured(Run& run, const Body& body, Scope* parent);

struct Constant final : Expression {
  Value value;
  Result<Value> Compute(Run&) const override { return value; }
};

struct Name final : Expression {
  std::string name;
  Result<Value> Compute(Run& run) const override;
};

struct SequenceLiteral final : Expression {
  SequenceKind kind = SequenceKind::kList;
  Expressions items;
  Result<Value> Compute(Run& run) const override;
};

struct DictLiteral final : Expression {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
  Result<Value> Compute(Run& run) const override;
};

struct Negation final : Expression {  // "not", also before a test
  ExpressionPtr operand;
  Result<Value> Compute(Run& run) const override;
};

struct Signed final : Expression {  // "-x" and "+x"
  bool is_minus = true;
  ExpressionPtr operand;
  Result<Value> Compute(Run& run) const override;
};

struct Binary final : Expression {
  const BinaryOperator* row = nullptr;
  ExpressionPtr left, right;
  Result<Value> Compute(Run& run) const override;
};

struct Logic final : Expression {  // "and", "or": gives the operand that decides
  bool is_and = true;
  ExpressionPtr left, right;
  Result<Value> Compute(Run& run) const override;
};

struct Comparison final : Expression {  // a < b < c
  ExpressionPtr first;
  std::vector<std::pair<const Comparator*, ExpressionPtr>> others;
  Result<Value> Compute(Run& run) const override;
};

struct Conditional final : Expression {  // a if condition else b; undefined without b
  ExpressionPtr condition, if_true, if_false;
  Result<Value> Compute(Run& run) const override;
};

struct Attribute final : Expression {
  ExpressionPtr object;
  std::string name;
  Result<Value> Compute(Run& run) const override;
};

struct Item final : Expression {
  ExpressionPtr object, key;
  Result<Value> Compute(Run& run) const override;
};

struct Slice final : Expression {  // bounds may be null
  ExpressionPtr object, start, stop, step;
  Result<Value> Compute(Run& run) const override;
};

// A filter, test, method or global function, held against its row by the parser.
struct BuiltinCall final : Expression {
  const Builtin* row = nullptr;
  ExpressionPtr subject;   // null for a function
  Expressions arguments;   // one for each parameter; null where it is left out
  NamedExpressions named;  // where the row takes any
  Result<Value> Compute(Run& run) const override;
};

struct MacroCall final : Expression {
  std::string name;
  Expressions arguments;
  NamedExpressions named;
  Result<Value> Compute(Run& run) const override;
};

// What values are stored in: a name, an attribute of a namespace, or several of these.
struct Target {
  std::string name;
  std::string attribute;  // of the namespace `name`; empty for a variable
  std::vector<Target> parts;

  Status Store(Run& run, Value value) const;
};

struct TextStatement final : Statement {
  std::string text;
  Result<Flow> Do(Run& run) const override;
};

struct OutputStatement final : Statement {
  ExpressionPtr value;
  const Expression* shown = nullptr;  // the value, or what its filter "safe" is given
  Result<Flow> Do(Run& run) const override;
};

struct IfStatement final : Statement {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
  Result<Flow> Do(Run& run) const override;
};

struct ForStatement final : Statement {
  Target target;
  ExpressionPtr sequence, condition;  // the condition may be null
  Body body, if_empty;
  Result<Flow> Do(Run& run) const override;

 private:
  Result<Values> Chosen(Run& run) const;
};

struct SetStatement final : Statement {
  Target target;
  ExpressionPtr value;
  Result<Flow> Do(Run& run) const override;
};

struct SetBlockStatement final : Statement {  // {% set name %} ... {% endset %}
  Target target;
  Body body;
  Result<Flow> Do(Run& run) const override;
};

// {% generation %}: marks what the model said, for training; writes its body.
struct GenerationStatement final : Statement {
  Body body;
  Result<Flow> Do(Run& run) const override;
};

// At the top of a template alone, so that what it sees is there as long as the run.
struct MacroStatement final : Statement {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  // with a default or null
  Body body;
  Result<Flow> Do(Run& run) const override;
  Result<Value> CallWith(Run& run, Values arguments, Named named) const;
};

struct JumpStatement final : Statement {  // break, continue
  Flow flow = Flow::kBreak;
  Result<Flow> Do(Run&) const override { return flow; }
};

}  // namespace emend::worker::chat
