#include "api/rest/problem.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace emend::api::rest::problem_test {
namespace {

TEST(Problem, EveryCodeHasAnHttpStatusOfItsKind) {
  for (int i = 1; i <= static_cast<int>(StatusCode::kInternal); ++i) {
    const int status = HttpStatusOf(Status(static_cast<StatusCode>(i), "m"));
    EXPECT_GE(status, 400) << i;
    EXPECT_LT(status, 600) << i;
    EXPECT_NE(ReasonOf(status), "") << i;
  }
}

TEST(Problem, FinerSlugsHaveTheirOwnStatus) {
  EXPECT_EQ(HttpStatusOf({StatusCode::kConflict, "stale_head", "m"}), 412);
  EXPECT_EQ(HttpStatusOf({StatusCode::kConflict, "other", "m"}), 409);
  EXPECT_EQ(HttpStatusOf({StatusCode::kFailedPrecondition, "precondition_required", "m"}), 428);
  EXPECT_EQ(HttpStatusOf({StatusCode::kInvalidArgument, "malformed_json", "m"}), 400);
  EXPECT_EQ(HttpStatusOf(InvalidArgument("m")), 422);
  EXPECT_EQ(HttpStatusOf({StatusCode::kUnsupported, "unknown_method", "m"}), 422);
  EXPECT_EQ(HttpStatusOf({StatusCode::kUnsupported, "other", "m"}), 501);
}

TEST(Problem, DocumentCarriesCodeAndCategory) {
  const Response response =
      ProblemResponse({StatusCode::kConflict, "stale_head", "the head is elsewhere"}, "/api/v1/x");
  EXPECT_EQ(response.status, 412);
  EXPECT_EQ(response.content_type, "application/problem+json");
  const auto json = nlohmann::json::parse(response.body);
  EXPECT_EQ(json["code"], "stale_head");
  EXPECT_EQ(json["category"], "conflict");
  EXPECT_EQ(json["status"], 412);
  EXPECT_EQ(json["detail"], "the head is elsewhere");
  EXPECT_EQ(json["instance"], "/api/v1/x");
}

TEST(Problem, UnauthenticatedNamesTheScheme) {
  const Response response = ProblemResponse({StatusCode::kUnauthenticated, "m"}, "");
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0].first, "WWW-Authenticate");
}

TEST(Problem, TextThatIsNoUtf8IsShownWithReplacements) {
  EXPECT_NE(ProblemResponse(NotFound("\xff\xfe"), "").body.find("not_found"), std::string::npos);
}

}  // namespace
}  // namespace emend::api::rest::problem_test
