#include "worker/chat/nodes.h"

namespace emend::worker::chat {
namespace {

Result<Value> EvaluatedOrNone(Run& run, const ExpressionPtr& expression) {
  return expression == nullptr ? Result<Value>(Value::None()) : expression->Evaluate(run);
}

Result<Values> EvaluatedAll(Run& run, const Expressions& expressions) {
  Values values;
  for (const ExpressionPtr& each : expressions) {
    EMEND_ASSIGN_OR_RETURN(Value value, each->Evaluate(run));
    values.push_back(std::move(value));
  }
  return values;
}

Result<Named> EvaluatedNamed(Run& run, const NamedExpressions& expressions) {
  Named named;
  for (const auto& [name, expression] : expressions) {
    EMEND_ASSIGN_OR_RETURN(Value value, expression->Evaluate(run));
    named.emplace_back(name, std::move(value));
  }
  return named;
}

}  // namespace

Result<Value> Expression::Evaluate(Run& run) const {
  const Deeper deeper(run);
  EMEND_RETURN_IF_ERROR(deeper.Check());
  EMEND_RETURN_IF_ERROR(run.Step(line));
  return Compute(run);
}

Result<Flow> Statement::Execute(Run& run) const {
  const Deeper deeper(run);
  EMEND_RETURN_IF_ERROR(deeper.Check());
  EMEND_RETURN_IF_ERROR(run.Step(line));
  return Do(run);
}

Result<Value> Name::Compute(Run& run) const {
  if (const Value* const found = run.scope->Find(name)) return *found;
  if (const Builtin* const function = FindGlobal(name)) return Value::Of(function);
  return Value::Undefined("\"" + name + "\"");
}

Result<Value> SequenceLiteral::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(Values values, EvaluatedAll(run, items));
  return run.MakeSequence(kind, std::move(values));
}

Result<Value> DictLiteral::Compute(Run& run) const {
  std::vector<Entry> made;
  for (const auto& [key_expression, value_expression] : entries) {
    EMEND_ASSIGN_OR_RETURN(Value key, key_expression->Evaluate(run));
    EMEND_ASSIGN_OR_RETURN(Value value, value_expression->Evaluate(run));
    made.emplace_back(std::move(key), std::move(value));
  }
  return run.MakeDict(std::move(made));
}

Result<Value> Negation::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value value, operand->Evaluate(run));
  return Value::Of(!value.IsTrue());
}

Result<Value> Signed::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value value, operand->Evaluate(run));
  const double* const number = value.As<double>();
  if (number != nullptr) return Value::Of(is_minus ? -*number : *number);
  const std::string_view sign = is_minus ? "-" : "+";
  return FindBinary(sign)->apply(run, Value::Of<std::int64_t>(0), value);
}

Result<Value> Binary::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value first, left->Evaluate(run));
  EMEND_ASSIGN_OR_RETURN(const Value second, right->Evaluate(run));
  return row->apply(run, first, second);
}

Result<Value> Logic::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(Value first, left->Evaluate(run));
  if (first.IsTrue() != is_and) return first;
  return right->Evaluate(run);
}

Result<Value> Comparison::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(Value before, first->Evaluate(run));
  for (const auto& [comparator, expression] : others) {
    EMEND_ASSIGN_OR_RETURN(Value value, expression->Evaluate(run));
    EMEND_ASSIGN_OR_RETURN(const bool holds, comparator->holds(run, before, value));
    if (!holds) return Value::Of(false);
    before = std::move(value);
  }
  return Value::Of(true);
}

Result<Value> Conditional::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value decides, condition->Evaluate(run));
  if (decides.IsTrue()) return if_true->Evaluate(run);
  if (if_false != nullptr) return if_false->Evaluate(run);
  return Value::Undefined("the other branch of an \"if\" without \"else\"");
}

Result<Value> Attribute::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value value, object->Evaluate(run));
  return AttributeOf(run, value, name);
}

Result<Value> Item::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value value, object->Evaluate(run));
  EMEND_ASSIGN_OR_RETURN(const Value index, key->Evaluate(run));
  return ItemOf(run, value, index);
}

Result<Value> Slice::Compute(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value value, object->Evaluate(run));
  SliceBounds bounds;
  EMEND_ASSIGN_OR_RETURN(bounds.start, EvaluatedOrNone(run, start));
  EMEND_ASSIGN_OR_RETURN(bounds.stop, EvaluatedOrNone(run, stop));
  EMEND_ASSIGN_OR_RETURN(bounds.step, EvaluatedOrNone(run, step));
  return SliceOf(run, value, bounds);
}

Result<Value> BuiltinCall::Compute(Run& run) const {
  Value on;
  if (subject != nullptr) {
    EMEND_ASSIGN_OR_RETURN(on, subject->Evaluate(run));
  }
  std::vector<std::optional<Value>> values;
  for (const ExpressionPtr& argument : arguments) {
    values.emplace_back();
    if (argument == nullptr) continue;
    EMEND_ASSIGN_OR_RETURN(values.back(), argument->Evaluate(run));
  }
  EMEND_ASSIGN_OR_RETURN(const Named by_name, EvaluatedNamed(run, named));
  return row->run({run, on, values, by_name});
}

Result<Value> MacroCall::Compute(Run& run) const {
  const Value* const found = run.scope->Find(name);
  if (found == nullptr) return Failed("\"" + name + "\" is undefined");
  const auto* const macro = found->As<const MacroStatement*>();
  if (macro == nullptr)
    return Failed("\"" + name + "\" is called, and is " + std::string(found->KindName()));
  const MacroStatement* const callee = *macro;
  EMEND_ASSIGN_OR_RETURN(Values values, EvaluatedAll(run, arguments));
  EMEND_ASSIGN_OR_RETURN(Named by_name, EvaluatedNamed(run, named));
  return callee->CallWith(run, std::move(values), std::move(by_name));
}

}  // namespace emend::worker::chat
