#include "worker/chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::worker::chat::chat_template_test {
namespace {

using test::IsOkAndHolds;
using test::StatusIs;
using testing::HasSubstr;
using testing::StartsWith;

Result<std::string> Rendered(const std::string& source, const std::vector<Message>& messages = {},
                             const Options& options = {}) {
  EMEND_ASSIGN_OR_RETURN(const ChatTemplate chat, ChatTemplate::Parse(source));
  return chat.Render(messages, options);
}

std::string Repeated(const std::string& text, int count) {
  std::string repeated;
  for (int i = 0; i < count; ++i) repeated += text;
  return repeated;
}

TEST(ChatTemplateTest, AConversationIsRenderedWithTokensAndThePromptOfTheAssistant) {
  ASSERT_OK_AND_ASSIGN(
      const ChatTemplate chat,
      ChatTemplate::Parse("{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m['content'] }}"
                          "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]"
                          "{% endif %}{{ pad_token is defined }}",
                          {.bos = "<s>", .eos = "</s>", .unk = {}, .pad = {}}));
  const std::vector<Message> messages = {{"user", "Hi"}, {"assistant", "Yes?"}};
  EXPECT_THAT(chat.Render(messages),
              IsOkAndHolds(std::string("<s>[user]Hi</s>[assistant]Yes?</s>[assistant]False")));
  EXPECT_THAT(chat.Render(messages, {.adds_generation_prompt = false, .variables = {}, .now = {}}),
              IsOkAndHolds(std::string("<s>[user]Hi</s>[assistant]Yes?</s>False")));
}

TEST(ChatTemplateTest, VariablesOfTheCallerGoBeforeTokensAndNotBeforeTheConversation) {
  Options options;
  options.variables = {{"flag", true},
                       {"count", std::int64_t{3}},
                       {"bos_token", std::string("<b>")},
                       {"messages", std::string("none")},
                       {"tools", std::string("some")}};
  EXPECT_THAT(Rendered("{{ flag }} {{ count + 1 }} {{ bos_token }} {{ messages }} {{ tools }}", {},
                       options),
              IsOkAndHolds(std::string("True 4 <b> [] None")));
}

TEST(ChatTemplateTest, TheDateIsTheCallersAsUtc) {
  Options options;
  options.now = WallTime(std::chrono::seconds(0));
  EXPECT_THAT(Rendered("{{ strftime_now('%d %B %Y %H:%M') }}", {}, options),
              IsOkAndHolds(std::string("01 January 1970 00:00")));
}

TEST(ChatTemplateTest, WhatATemplateRefusesIsSaidInItsWordsWithTheLine) {
  const auto rendered = Rendered("a\n\n{{ raise_exception('Roles must alternate') }}");
  EXPECT_THAT(rendered, StatusIs(StatusCode::kInvalidArgument, "refused_by_chat_template"));
  EXPECT_EQ(rendered.status().message(), "rendering a chat template, line 3: Roles must alternate");
}

TEST(ChatTemplateTest, TextsThatAreNotUtf8AreRefused) {
  const auto content = Rendered("x", {{"user", "a"}, {"user", "a\xff"}});
  EXPECT_THAT(content, StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(content.status().message(), HasSubstr("the content of message 1"));
  Options options;
  options.variables = {{"x", std::string("\xc3")}};
  EXPECT_THAT(Rendered("x", {}, options), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ChatTemplate::Parse("a\xff"),
              StatusIs(StatusCode::kInvalidArgument, "bad_chat_template"));
}

TEST(ChatTemplateTest, ARunawayTemplateEndsAtABound) {
  const std::pair<std::string, const char*> kCases[] = {
      {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
       "bytes in all"},
      {"{% for a in range(99999) %}{% for b in 'abcdefgh' %}{{ 1 + 1 + 1 + 1 }}{% endfor %}{% "
       "endfor %}",
       "more than 2000000 steps"},
      {"{{ range(100001) }}", "a range of more than 100000 numbers"},
      {"{% set ns = namespace(x='aa') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}"
       "{% endfor %}",
       "at most 4194304 are allowed"},
      {"{{ 'a' * 99999999999 }}", "bytes in all"},
      {"{% for a in range(9) %}{{ 'a' * 999999 }}{% endfor %}", "it writes more than"},
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "do macros call each other"},
      {"{% set ns = namespace(x=[]) %}{% for a in range(99) %}{% set ns.x = [ns.x] %}{% endfor %}",
       "nests deeper than 64 levels"},
      {"{% set ns = namespace(x=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
       "{% endfor %}{{ ns.x }}",
       "the text of a value"},
      {"{% set ns = namespace(x=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
       "{% endfor %}{{ ns.x | tojson }}",
       "the text of a value"},
      {"{% set ns = namespace(x=[1], y=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] "
       "%}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
       "bytes in all"},
      {"{{ ('a' * 4000000).split('a') }}", "bytes in all"},
      {"{{ ''.strip('a' * 1025) }}", "stripping more than 1024 bytes"},
      {"{{ 'a' | map('map', " + Repeated("'map', ", 9999) + "'upper') | list }}",
       "do macros call each other"},
      {"{{ [1] | tojson(indent=999999) }}", "an indent of 999999"}};
  for (const auto& [source, message] : kCases) {
    const auto rendered = Rendered(source);
    EXPECT_THAT(rendered, StatusIs(StatusCode::kResourceExhausted)) << source;
    EXPECT_THAT(rendered.status().message(), HasSubstr(message)) << source;
  }
}

TEST(ChatTemplateTest, ATemplateOverTheBoundsIsRefused) {
  const std::string kCases[] = {
      "{{ " + Repeated("(", 200) + "1" + Repeated(")", 200) + " }}",
      "{{ " + Repeated("[", 9999) + Repeated("]", 9999) + " }}",
      "{{ " + Repeated("not ", 9999) + "1 }}",
      "{{ " + Repeated("-", 9999) + "1 }}",
      "{{ 1" + Repeated(" + 1", 9999) + " }}",
      "{{ a" + Repeated(".b", 9999) + " }}",
      "{{ a" + Repeated("|trim", 9999) + " }}",
      "{{ " + Repeated("1 if 1 else ", 9999) + "1 }}",
      Repeated("{% if 1 %}", 9999),
      Repeated("{% for a in b %}", 9999),
      "{% for " + Repeated("(", 9999) + "a" + Repeated(")", 9999) + " in b %}",
      std::string(kTemplateBytesMax + 1, 'a')};
  for (const std::string& source : kCases) {
    EXPECT_THAT(ChatTemplate::Parse(source), StatusIs(StatusCode::kResourceExhausted))
        << source.substr(0, 40);
  }
}

TEST(ChatTemplateTest, NestingUpToTheBoundIsRendered) {
  EXPECT_THAT(Rendered("{{ " + Repeated("(", 50) + "1" + Repeated(")", 50) + " }}"),
              IsOkAndHolds(std::string("1")));
  EXPECT_THAT(Rendered("{{ ''" + Repeated(" ~ 'x'", 100) + " }}"),
              IsOkAndHolds(std::string(100, 'x')));
  EXPECT_THAT(Rendered(Repeated("{% if 1 %}", 100) + "x" + Repeated("{% endif %}", 100)),
              IsOkAndHolds(std::string("x")));
}

TEST(ChatTemplateTest, OneTemplateRendersAgainAndAgainWithoutATrace) {
  ASSERT_OK_AND_ASSIGN(
      const ChatTemplate chat,
      ChatTemplate::Parse("{{ x is defined }}{% set x = 1 %}{% set ns = namespace(n=0) %}"
                          "{% set ns.n = ns.n + 1 %}{{ ns.n }}"));
  EXPECT_THAT(chat.Render({}), IsOkAndHolds(std::string("False1")));
  EXPECT_THAT(chat.Render({}), IsOkAndHolds(std::string("False1")));
}

}  // namespace
}  // namespace emend::worker::chat::chat_template_test
