#include "platform/grpc/status.h"

#include <gtest/gtest.h>

#include <string>

namespace platform::grpc {
namespace {

struct Row {
  std::string label;
  Error error;
  ::grpc::StatusCode code;
  std::string message;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.label; }

class StatusTest : public ::testing::TestWithParam<Row> {};

TEST_P(StatusTest, MapsTheError) {
  const ::grpc::Status status = ToStatus(GetParam().error);
  EXPECT_EQ(status.error_code(), GetParam().code);
  EXPECT_EQ(status.error_message(), GetParam().message);
}

using ::grpc::StatusCode;

INSTANTIATE_TEST_SUITE_P(
    Table, StatusTest,
    ::testing::Values(Row{"InvalidArgument",
                          {.code = ErrorCode::kInvalidArgument, .reason = "Email is taken"},
                          StatusCode::INVALID_ARGUMENT,
                          "Email is taken"},
                      Row{"Unprocessable",
                          {.code = ErrorCode::kUnprocessable},
                          StatusCode::INVALID_ARGUMENT,
                          "Invalid argument"},
                      Row{"Unauthenticated",
                          {.code = ErrorCode::kUnauthenticated, .reason = "No token"},
                          StatusCode::UNAUTHENTICATED,
                          "No token"},
                      Row{"PermissionDenied", Error::PermissionDenied("Admins only"),
                          StatusCode::PERMISSION_DENIED, "Admins only"},
                      Row{"NotFound", Error::NotFound(), StatusCode::NOT_FOUND, "Not found"},
                      Row{"MethodNotAllowed",
                          {.code = ErrorCode::kMethodNotAllowed},
                          StatusCode::UNIMPLEMENTED,
                          "Not implemented"},
                      Row{"RequestTimeout",
                          {.code = ErrorCode::kRequestTimeout},
                          StatusCode::DEADLINE_EXCEEDED,
                          "Deadline exceeded"},
                      Row{"PayloadTooLarge",
                          {.code = ErrorCode::kPayloadTooLarge},
                          StatusCode::RESOURCE_EXHAUSTED,
                          "Resource exhausted"},
                      Row{"HeaderFieldsTooLarge",
                          {.code = ErrorCode::kHeaderFieldsTooLarge},
                          StatusCode::RESOURCE_EXHAUSTED,
                          "Resource exhausted"},
                      Row{"TooManyRequests",
                          {.code = ErrorCode::kTooManyRequests, .reason = "Slow down"},
                          StatusCode::RESOURCE_EXHAUSTED,
                          "Slow down"},
                      Row{"NotImplemented",
                          {.code = ErrorCode::kNotImplemented},
                          StatusCode::UNIMPLEMENTED,
                          "Not implemented"},
                      Row{"Unavailable", Error::Unavailable(), StatusCode::UNAVAILABLE,
                          "Temporarily unavailable"},
                      Row{"InternalHidesItsReason",
                          {.code = ErrorCode::kInternal, .reason = "connection to 10.0.0.7 lost"},
                          StatusCode::INTERNAL,
                          "Internal error"}),
    [](const auto& info) { return info.param.label; });

}  // namespace
}  // namespace platform::grpc
