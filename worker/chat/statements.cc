#include <algorithm>

#include "worker/chat/nodes.h"
#include "worker/chat/show.h"

namespace emend::worker::chat {
namespace {

// "loop" in the body of a loop, at element `i`.
Value LoopVariable(const Values& elements, std::size_t i) {
  static const Value kIndex = Value::Text("index"), kIndex0 = Value::Text("index0"),
                     kRevindex = Value::Text("revindex"), kRevindex0 = Value::Text("revindex0"),
                     kFirst = Value::Text("first"), kLast = Value::Text("last"),
                     kLength = Value::Text("length"), kPrevious = Value::Text("previtem"),
                     kNext = Value::Text("nextitem");
  const auto count = static_cast<std::int64_t>(elements.size());
  const auto index = static_cast<std::int64_t>(i);
  Dict loop{.entries = {{kIndex, Value::Of(index + 1)},
                        {kIndex0, Value::Of(index)},
                        {kRevindex, Value::Of(count - index)},
                        {kRevindex0, Value::Of(count - index - 1)},
                        {kFirst, Value::Of(i == 0)},
                        {kLast, Value::Of(index + 1 == count)},
                        {kLength, Value::Of(count)}},
            .depth = kValueDepthMax};  // it is put into nothing
  if (i > 0) loop.entries.emplace_back(kPrevious, elements[i - 1]);
  if (index + 1 < count) loop.entries.emplace_back(kNext, elements[i + 1]);
  return Value::Of(std::shared_ptr<const Dict>(std::make_shared<Dict>(std::move(loop))));
}

}  // namespace

Result<Flow> Body::Execute(Run& run) const {
  for (const auto& statement : statements) {
    EMEND_ASSIGN_OR_RETURN(const Flow flow, statement->Execute(run));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<Value> Captured(Run& run, const Body& body, Scope* parent) {
  const Entered entered(run, parent);
  std::string outer;
  std::swap(outer, run.output);
  const Result<Flow> flow = body.Execute(run);
  std::swap(outer, run.output);
  EMEND_RETURN_IF_ERROR(flow.status());
  return run.MakeText(std::move(outer));
}

Status Target::Store(Run& run, Value value) const {
  if (!parts.empty()) {
    EMEND_ASSIGN_OR_RETURN(Values values, run.Elements(value));
    if (values.size() != parts.size())
      return Failed("expected " + std::to_string(parts.size()) + " values to unpack, found " +
                    std::to_string(values.size()));
    for (std::size_t i = 0; i < parts.size(); ++i)
      EMEND_RETURN_IF_ERROR(parts[i].Store(run, std::move(values[i])));
    return OkStatus();
  }
  if (attribute.empty()) {
    run.scope->Set(name, std::move(value));
    return OkStatus();
  }
  const Value* const found = run.scope->Find(name);
  Namespace* const name_space = found == nullptr ? nullptr : found->name_space();
  if (name_space == nullptr)
    return Failed("setting \"" + attribute + "\" of \"" + name + "\", which is no namespace");
  if (value.name_space() != nullptr) return NotSupported("a namespace inside a namespace");
  EMEND_RETURN_IF_ERROR(run.Work(name_space->attributes.size() * kElementBytes));
  if (Value* const old = name_space->Find(attribute)) {
    *old = std::move(value);
  } else {
    name_space->attributes.emplace_back(attribute, std::move(value));
  }
  return OkStatus();
}

Result<Flow> TextStatement::Do(Run& run) const {
  EMEND_RETURN_IF_ERROR(run.Write(text));
  return Flow::kNext;
}

Result<Flow> OutputStatement::Do(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value result, shown->Evaluate(run));
  EMEND_ASSIGN_OR_RETURN(const std::string text, Shown(result));
  EMEND_RETURN_IF_ERROR(run.Work(text.size()));
  EMEND_RETURN_IF_ERROR(run.Write(text));
  return Flow::kNext;
}

Result<Flow> IfStatement::Do(Run& run) const {
  for (const auto& [condition, body] : branches) {
    EMEND_ASSIGN_OR_RETURN(const Value decides, condition->Evaluate(run));
    if (decides.IsTrue()) return body.Execute(run);
  }
  return otherwise.Execute(run);
}

// The elements for which the condition holds.
Result<Values> ForStatement::Chosen(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Value iterated, sequence->Evaluate(run));
  EMEND_ASSIGN_OR_RETURN(Values elements, run.Elements(iterated));
  if (condition == nullptr) return elements;
  Values chosen;
  for (Value& element : elements) {
    const Entered entered(run, run.scope);
    EMEND_RETURN_IF_ERROR(target.Store(run, element));
    EMEND_ASSIGN_OR_RETURN(const Value decides, condition->Evaluate(run));
    if (decides.IsTrue()) chosen.push_back(std::move(element));
  }
  return chosen;
}

Result<Flow> ForStatement::Do(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(const Values elements, Chosen(run));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    Entered entered(run, run.scope);
    EMEND_RETURN_IF_ERROR(run.Step(line));
    EMEND_RETURN_IF_ERROR(target.Store(run, elements[i]));
    entered.scope().Set("loop", LoopVariable(elements, i));
    EMEND_ASSIGN_OR_RETURN(const Flow flow, body.Execute(run));
    if (flow == Flow::kBreak) break;
  }
  if (!elements.empty()) return Flow::kNext;
  const Entered entered(run, run.scope);
  return if_empty.Execute(run);
}

Result<Flow> SetStatement::Do(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(Value stored, value->Evaluate(run));
  EMEND_RETURN_IF_ERROR(target.Store(run, std::move(stored)));
  return Flow::kNext;
}

Result<Flow> SetBlockStatement::Do(Run& run) const {
  EMEND_ASSIGN_OR_RETURN(Value text, Captured(run, body, run.scope));
  EMEND_RETURN_IF_ERROR(target.Store(run, std::move(text)));
  return Flow::kNext;
}

Result<Flow> GenerationStatement::Do(Run& run) const {
  const Entered entered(run, run.scope);
  return body.Execute(run);
}

Result<Flow> MacroStatement::Do(Run& run) const {
  run.scope->Set(name, Value::Of(this));
  return Flow::kNext;
}

Result<Value> MacroStatement::CallWith(Run& run, Values arguments, Named by_name) const {
  if (arguments.size() > parameters.size())
    return Failed("the macro \"" + name + "\" takes at most " + std::to_string(parameters.size()) +
                  " arguments, found " + std::to_string(arguments.size()));
  Entered entered(run, &run.root);
  for (auto& [called, value] : by_name) {
    const auto found =
        std::ranges::find_if(parameters, [&](const auto& each) { return each.first == called; });
    if (found == parameters.end())
      return Failed("the macro \"" + name + "\" has no parameter \"" + called + "\"");
    if (found - parameters.begin() < static_cast<std::ptrdiff_t>(arguments.size()))
      return Failed("the macro \"" + name + "\" is given \"" + called + "\" twice");
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [parameter, if_left_out] = parameters[i];
    const auto given = std::ranges::find(by_name, parameter, &Named::value_type::first);
    Value value = Value::Undefined("the parameter \"" + parameter + "\"");
    if (i < arguments.size()) {
      value = std::move(arguments[i]);
    } else if (given != by_name.end()) {
      value = std::move(given->second);
    } else if (if_left_out != nullptr) {
      EMEND_ASSIGN_OR_RETURN(value, if_left_out->Evaluate(run));
    }
    entered.scope().Set(parameter, std::move(value));
  }
  return Captured(run, body, run.scope);
}

}  // namespace emend::worker::chat
