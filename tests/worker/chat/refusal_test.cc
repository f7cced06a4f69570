#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "worker/chat/chat_template.h"

namespace emend::worker::chat::refusal_test {
namespace {

using test::StatusIs;
using testing::HasSubstr;

struct Case {
  const char* source;
  const char* message;
};

TEST(RefusalTest, AConstructThatIsNotKnownIsRefusedByNameAndLine) {
  constexpr Case kCases[] = {
      {"\n{% include 'x' %}", "line 2: the statement \"include\""},
      {"{% import 'x' as y %}", "the statement \"import\""},
      {"{% extends 'x' %}", "the statement \"extends\""},
      {"{% block a %}{% endblock %}", "the statement \"block\""},
      {"{% call m() %}{% endcall %}", "the statement \"call\""},
      {"{% filter upper %}{% endfilter %}", "the statement \"filter\""},
      {"{% with %}{% endwith %}", "the statement \"with\""},
      {"{% raw %}{% endraw %}", "the statement \"raw\""},
      {"{% do x() %}", "the statement \"do\""},
      {"{% for a in b recursive %}{% endfor %}", "a recursive loop"},
      {"{% set a | trim %}{% endset %}", "a \"set\" block with filters"},
      {"{% if 1 %}{% for a in b %}{% macro m() %}{% endmacro %}{% endfor %}{% endif %}",
       "a macro inside another block"},
      {"\n\n{{ a | nosuch }}", "line 3: the filter \"nosuch\" (known: abs, capitalize"},
      {"{{ a is nosuch }}", "the test \"nosuch\""},
      {"{{ a.nosuch() }}", "the method \"nosuch\""},
      {"{{ nosuch() }}", "the function \"nosuch\" (known: dict, namespace"},
      {"{{ lipsum() }}", "the function \"lipsum\""},
      {"{{ loop.cycle('a') }}", "the method \"cycle\""},
      {"{{ 'a'.format(1) }}", "the method \"format\""},
      {"{{ a.b.__class__() }}", "the method \"__class__\""},
      {"{{ (a)(1) }}", "a call of what has no name"},
      {"{{ a | trim(nosuch=1) }}", "the argument \"nosuch\" of the filter \"trim\""},
      {"{{ m(*a) }}", "unpacking of arguments"},
      {"{{ a[1, 2] }}", "an index of several values"},
      {"{{ 99999999999999999999 }}", "the integer 99999999999999999999, beyond 64 bits,"},
      {"{% macro m() %}{{ caller() }}{% endmacro %}", "the function \"caller\""},
      {"{% macro m() %}{{ kwargs }}{% endmacro %}", "the variable \"kwargs\""},
      {"{{ self }}", "the variable \"self\""}};
  for (const Case& each : kCases) {
    const auto parsed = ChatTemplate::Parse(each.source);
    EXPECT_THAT(parsed, StatusIs(StatusCode::kUnsupported, "unsupported_chat_template"))
        << each.source;
    EXPECT_THAT(parsed.status().message(), HasSubstr(each.message)) << each.source;
  }
}

TEST(RefusalTest, WhatIsNoTemplateIsRefusedByLine) {
  constexpr Case kCases[] = {
      {"{{ a", "line 1: what begins here has no end \"}}\""},
      {"\n{% if a", "line 2: what begins here has no end \"%}\""},
      {"{# a", "a comment has no end"},
      {"{{ 'a }}", "a text in quotes has no end"},
      {"{{ a b }}", "expected \"}}\", found \"b\""},
      {"{{ }}", "expected a value, found \"}}\""},
      {"{{ (a }}", "\"}\" closes nothing"},
      {"{{ (a b) }}", "expected \")\", found \"b\""},
      {"{{ a) }}", "\")\" closes nothing"},
      {"{{ a[] }}", "\"[]\" has no index"},
      {"{{ a[1:2:3:4] }}", "a slice has more than three parts"},
      {"{{ a ? b }}", "begins no token"},
      {"{{ 1a }}", "\"1a\" is no number"},
      {"{{ '\\N{DASH}' }}", "the escape \"\\N{D"},
      {"{{ '\\ud800' }}", "stands for no character"},
      {"\n{% if a %}\nb", "line 2: what begins here has no \"endif\""},
      {"{% endif %}", "\"endif\" ends nothing"},
      {"{% if a %}{% endfor %}", "\"endfor\" ends nothing"},
      {"{% for a %}{% endfor %}", "expected \"in\", found \"%}\""},
      {"{% set true = 1 %}", "\"true\" cannot be set"},
      {"{% set loop = 1 %}", "\"loop\" cannot be set"},
      {"{% break %}", "outside a loop"},
      {"{% for a in b %}{% set c %}{% continue %}{% endset %}{% endfor %}", "outside a loop"},
      {"{% macro m(a=1, b) %}{% endmacro %}", "without a default stands after"},
      {"{% 1 %}", "expected the name of a statement, found \"1\""},
      {"{{ a | replace('b') }}", "the filter \"replace\" lacks the argument \"new\""},
      {"{{ a | length(1) }}", "the filter \"length\" takes at most 0 arguments, found 1"},
      {"{{ a.strip('b', chars='c') }}", "the method \"strip\" is given \"chars\" twice"},
      {"{{ m(a=1, 2) }}", "stands after one with a name"},
      {"{{ dict(a=1, a=2) }}", "the argument \"a\" stands twice in a call"},
      {"{{ a is divisibleby }}", "the test \"divisibleby\" lacks the argument"}};
  for (const Case& each : kCases) {
    const auto parsed = ChatTemplate::Parse(each.source);
    EXPECT_THAT(parsed, StatusIs(StatusCode::kInvalidArgument, "bad_chat_template")) << each.source;
    EXPECT_THAT(parsed.status().message(), HasSubstr(each.message)) << each.source;
  }
}

// What depends on values is found where a rendering comes to it.
TEST(RefusalTest, WhatARenderingCannotDoAsTheReferenceDoesIsRefused) {
  constexpr Case kCases[] = {
      {"{{ 'a' % 1 }}", "formatting a text with \"%\""},
      {"{{ 9223372036854775807 + 1 }}", "an integer beyond 64 bits"},
      {"{{ ('a' | safe) + 'b' }}", "\"safe\" anywhere but at the end of an output"},
      {"{{ {'a': 1}.items }}", "the method \"items\" as a value"},
      {"{{ 'a'.strip }}", "the method \"strip\" as a value"},
      {"{{ [1] | map('string') }}", "showing a generator"},
      {"{{ ['\xc3\xa9'] }}", "showing a text beyond ASCII inside a list or mapping"},
      {"{{ '\xc3\x9f' | upper }}", "changing the case of \"\xc3\x9f\""},
      {"{{ '\xc3\xa9' | title }}", "changing the case of \"\xc3\xa9\""},
      {"{{ [namespace()] }}", "a namespace inside a list"},
      {"{% set a = namespace() %}{% set a.a = a %}", "a namespace inside a namespace"},
      {"{{ {'b': 1} | dictsort(by='value') }}", "sorting the items of a mapping by \"value\""},
      {"{{ [1] | map('nosuch') | list }}", "the filter \"nosuch\""},
      {"{{ messages.append(1) }}", "changing a list or mapping"},
      {"{{ range }}", "showing a function"}};
  for (const Case& each : kCases) {
    ASSERT_OK_AND_ASSIGN(const ChatTemplate chat, ChatTemplate::Parse(each.source));
    const auto rendered = chat.Render({});
    EXPECT_THAT(rendered, StatusIs(StatusCode::kUnsupported, "unsupported_chat_template"))
        << each.source;
    EXPECT_THAT(rendered.status().message(), HasSubstr(each.message)) << each.source;
  }
}

}  // namespace
}  // namespace emend::worker::chat::refusal_test
