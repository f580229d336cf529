#include "services/customers/client/access.h"

#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <string_view>
#include <utility>

#include "platform/grpc/testing/certificates.h"
#include "platform/grpc/testing/grpc_peers.h"
#include "proto/auth.grpc.pb.h"

namespace customers::client {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
namespace asio = boost::asio;
namespace http = platform::http;

// The customers service. User 3 has the token "user", and user 9 has the token "admin".
class FakeUserAuth final : public UserAuth::Service {
 public:
  ::grpc::Status ValidateToken(::grpc::ServerContext*, const AuthRequest* request,
                               AuthResponse* response) override {
    const std::string& token = request->token().value();
    if (token != "user" && token != "admin") {
      return {::grpc::StatusCode::INVALID_ARGUMENT, "Token is revoked"};
    }
    response->mutable_payload()->set_user_id(token == "user" ? 3 : 9);
    response->mutable_payload()->set_is_admin(token == "admin");
    return ::grpc::Status::OK;
  }
};

class Id {
 public:
  explicit Id(std::int32_t value = 0) : value_(value) {}
  std::int32_t value() const { return value_; }

 private:
  std::int32_t value_;
};

struct App {
  App(const asio::any_io_executor& executor, TokenValidatorOptions options)
      : validator(executor, std::move(options)) {}

  TokenValidator validator;
  int searches = 0;           // Number of calls of FindOwner.
  std::int32_t asked_by = 0;  // The caller of the last one.
};

// Thing 30 belongs to user 3, and thing 50 belongs to user 5.
Task<Result<Id>> FindOwner(App& app, const Caller& caller, Id thing) {
  app.asked_by = caller.id;
  ++app.searches;
  if (thing.value() % 10 != 0) co_return std::unexpected(Error::NotFound());
  co_return Id(thing.value() / 10);
}

Task<Result<void>> FindThing(App& app, Id thing) {
  CO_RETURN_IF_ERROR(co_await FindOwner(app, Caller{}, thing));
  co_return Result<void>();
}

class AccessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::array<::grpc::Service*, 1> services{&customers_};
    server_.emplace(files_.files(), services);
    app_.emplace(
        io_.get_executor(),
        TokenValidatorOptions{.replicas = {{"localhost", server_->port()}}, .tls = files_.files()});
  }

  // Calls a rule for a request with this Authorization header, if there is one.
  template <class Rule, class... Ids>
  Result<typename Rule::Grant> Call(const Rule& rule, std::optional<std::string_view> authorization,
                                    Ids... id) {
    std::array<http::HeaderField, 1> headers{{{"authorization", authorization.value_or("")}}};
    http::Request request{.notes = &notes_};
    if (authorization) request.headers = headers;
    io_.restart();
    auto result = asio::co_spawn(io_, rule(*app_, request, id...), asio::use_future);
    while (result.wait_for(std::chrono::seconds{0}) != std::future_status::ready) io_.run_one();
    return result.get();
  }

  template <class Grant>
  static void ExpectDenied(const Result<Grant>& grant, std::string_view reason) {
    ASSERT_FALSE(grant);
    EXPECT_EQ(grant.error().code, ErrorCode::kPermissionDenied);
    EXPECT_EQ(grant.error().reason, reason);
  }

  static constexpr std::string_view kNotPermitted =
      "You do not have permission to perform this action.";

  FakeUserAuth customers_;
  platform::grpc::testing::Authority authority_;
  platform::grpc::testing::TlsDirectory files_{authority_.certificate(), authority_.Issue()};
  std::optional<platform::grpc::testing::GrpcServer> server_;
  asio::io_context io_{1};
  http::AccessNotes notes_;
  std::optional<App> app_;
};

TEST_F(AccessTest, AdminLetsAdministratorsIn) {
  const Admin<App> rule;
  EXPECT_EQ(Call(rule, "admin").value_or(Caller{}).id, 9);
  EXPECT_EQ(notes_.user_id, 9);
  ExpectDenied(Call(rule, "user"), kNotPermitted);
  // The user is known although the request is refused.
  EXPECT_EQ(notes_.user_id, 3);
}

TEST_F(AccessTest, OwnerOrAdminLetsTheOwnerAndAdministratorsIn) {
  const OwnerOrAdmin rule{FindOwner};
  for (const auto& [token, caller] : {std::pair("user", 3), std::pair("admin", 9)}) {
    const auto grant = Call(rule, token, Id(30));
    ASSERT_TRUE(grant) << token;
    EXPECT_EQ(grant->caller.id, caller);
    EXPECT_EQ(grant->owner.value(), 3);
    EXPECT_EQ(app_->asked_by, caller);
  }
  ExpectDenied(Call(rule, "user", Id(50)), kNotPermitted);
}

TEST_F(AccessTest, ExistenceComesBeforePermission) {
  const OwnerOrAdmin rule{FindOwner};
  for (const char* token : {"user", "admin"}) {
    const auto caller = Call(rule, token, Id(7));
    ASSERT_FALSE(caller);
    EXPECT_EQ(caller.error().code, ErrorCode::kNotFound);
  }
}

TEST_F(AccessTest, AdminOfLetsAdministratorsInIfTheObjectExists) {
  const AdminOf rule{FindThing};
  EXPECT_EQ(Call(rule, "admin", Id(30)).value_or(Caller{}).id, 9);
  ExpectDenied(Call(rule, "user", Id(30)), kNotPermitted);
  for (const char* token : {"user", "admin"}) {
    const auto caller = Call(rule, token, Id(7));
    ASSERT_FALSE(caller);
    EXPECT_EQ(caller.error().code, ErrorCode::kNotFound);
  }
}

TEST_F(AccessTest, AuthenticationComesFirst) {
  const OwnerOrAdmin rule{FindOwner};
  ExpectDenied(Call(rule, std::nullopt, Id(7)), "Invalid authorization header");
  ExpectDenied(Call(rule, "", Id(7)), "Invalid authorization header");
  ExpectDenied(Call(rule, "other", Id(7)), "Token is revoked");
  ExpectDenied(Call(Admin<App>(), "other"), "Token is revoked");
  ExpectDenied(Call(AdminOf{FindThing}, "other", Id(7)), "Token is revoked");
  EXPECT_EQ(app_->searches, 0);
  EXPECT_FALSE(notes_.user_id);
}

}  // namespace
}  // namespace customers::client
