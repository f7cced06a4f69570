// Matchers for Status and Result<T>.
//
//   EXPECT_THAT(store.Write(batch, Durability::kSynced), IsOk());
//   EXPECT_THAT(store.Get(family, key), IsOkAndHolds(Optional(std::string("value"))));
//   EXPECT_THAT(journal.Commit(principal, build), StatusIs(StatusCode::kConflict, "stale_head"));
//   ASSERT_OK_AND_ASSIGN(auto journal, Journal::Open(...));
//
// There is no matcher for "failed in whatever way": a test names the code that it expects.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <type_traits>

#include "storage/base/status.h"

namespace emend {

// Found by GoogleTest through the argument's namespace: what a failed expectation shows.
inline void PrintTo(StatusCode code, std::ostream* out) { *out << CodeName(code); }
inline void PrintTo(const Status& status, std::ostream* out) { *out << status.ToString(); }

template <typename T>
void PrintTo(const Result<T>& result, std::ostream* out) {
  if (result.ok()) {
    *out << "a value: " << ::testing::PrintToString(*result);
  } else {
    *out << result.status().ToString();
  }
}

namespace test {

inline const Status& StatusOf(const Status& status) { return status; }
template <typename T>
const Status& StatusOf(const Result<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "fails" : "is ok") {
  *result_listener << StatusOf(arg).ToString();
  return arg.ok();
}

MATCHER_P(StatusIs, code, "has the code " + std::string(CodeName(code))) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}

MATCHER_P2(StatusIs, code, slug,
           "has the code " + std::string(CodeName(code)) + " and the slug " + std::string(slug)) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code && StatusOf(arg).slug() == slug;
}

// For Result<T> alone; `value` is a value or a matcher.
MATCHER_P(IsOkAndHolds, value, "is ok and holds a value that " + ::testing::PrintToString(value)) {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  using Value = std::decay_t<decltype(*arg)>;
  return ::testing::ExplainMatchResult(::testing::SafeMatcherCast<const Value&>(value), *arg,
                                       result_listener);
}

}  // namespace test
}  // namespace emend

// Declares `lhs` from the value of a Result, or fails the test with its Status and returns.
#define ASSERT_OK_AND_ASSIGN_(name, lhs, expr)                      \
  auto name = (expr);                                               \
  ASSERT_TRUE(name.ok()) << #expr ": " << name.status().ToString(); \
  lhs = std::move(name).value()
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ASSERT_OK_AND_ASSIGN_(EMEND_CONCAT_(result_, __LINE__), lhs, expr)
