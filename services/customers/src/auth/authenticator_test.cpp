#include "services/customers/src/auth/authenticator.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <optional>

#include "platform/migrations/testing/test_database.h"
#include "services/customers/migrations/migrations.h"

namespace customers {
namespace {

using platform::ErrorCode;
using platform::Result;
using platform::Secret;
using namespace std::chrono_literals;
namespace asio = boost::asio;

// Tests on a real PostgreSQL.
class AuthenticatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    platform::migrations::Runner runner(database_.settings(), Migrations());
    ASSERT_TRUE(runner.Up());
    database_.Run(
        "INSERT INTO users (email, first_name, last_name, password, is_admin, token_version) "
        "SELECT 'user' || i || '@example.com', '', '', '', i % 10 = 0, i % 3 "
        "FROM generate_series(1, 2000) i");
    database_.Run(
        "INSERT INTO sessions (user_id, id, expires, client, user_agent) "
        "SELECT u, s, now() + interval '1 day', '', '' "
        "FROM generate_series(1, 1000) u, generate_series(1, 2) s");
    client_.emplace(io_.get_executor(), database_.settings());
    users_.emplace(*client_);
    authenticator_.emplace(codec_, *users_);
  }

  std::string Authorization(std::int32_t id, std::int32_t version) const {
    return "Bearer " + codec_.Sign({.id = id,
                                    .email = "old@example.com",
                                    .is_admin = true,
                                    .exp = 4'000'000'000,
                                    .version = version});
  }
  std::string OfSession(std::int32_t id, std::int32_t session) const {
    return "Bearer " + codec_.Sign({.id = id,
                                    .email = "old@example.com",
                                    .exp = 4'000'000'000,
                                    .version = -1,
                                    .session = session});
  }

  template <class T>
  T Run(platform::Task<T> task) {
    auto result = asio::co_spawn(io_, std::move(task), asio::use_future);
    io_.restart();
    while (result.wait_for(0s) != std::future_status::ready) io_.run_one();
    return result.get();
  }

  std::vector<Result<Identity>> Validate(const std::vector<std::string>& authorizations) {
    return Run(authenticator_->Validate({authorizations.begin(), authorizations.end()}));
  }

  platform::migrations::TestDatabase database_;
  platform::security::TokenCodec codec_{{Secret(std::string(32, 's'))}};
  asio::io_context io_{1};
  std::optional<platform::postgres::Client> client_;
  std::optional<UserStore> users_;
  std::optional<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, EachOfABatchGetsItsOwnVerdict) {
  std::vector<std::string> authorizations;
  for (int id = 1; id <= 170; ++id) {
    authorizations.push_back(Authorization(id, id % 3));         // Valid.
    authorizations.push_back(Authorization(id, (id + 1) % 3));   // Revoked.
    authorizations.push_back(Authorization(id + 5000, id % 3));  // The user does not exist.
    authorizations.push_back(OfSession(id, 1 + id % 2));
    authorizations.push_back(OfSession(id, 3));         // The session does not exist.
    authorizations.push_back(OfSession(id + 1000, 1));  // The session is another user's.
  }
  const auto verdicts = Validate(authorizations);
  ASSERT_EQ(verdicts.size(), authorizations.size());
  for (int id = 1; id <= 170; ++id) {
    const auto* const six = &verdicts[static_cast<std::size_t>(id - 1) * 6];
    for (const int good : {0, 3}) {
      EXPECT_EQ(six[good], (Identity{.id = id,
                                     .email = "user" + std::to_string(id) + "@example.com",
                                     .is_admin = id % 10 == 0}));
    }
    for (const int bad : {1, 2, 4, 5}) {
      ASSERT_FALSE(six[bad]);
      EXPECT_EQ(six[bad].error().code, ErrorCode::kPermissionDenied);
      EXPECT_EQ(six[bad].error().reason, "Token is revoked");
    }
  }
}

TEST_F(AuthenticatorTest, OneUserSeveralTimes) {
  const std::string valid = Authorization(5, 2);
  const auto verdicts = Validate({valid, Authorization(5, 1), valid});
  EXPECT_TRUE(verdicts[0]);
  EXPECT_FALSE(verdicts[1]);
  EXPECT_TRUE(verdicts[2]);
}

TEST_F(AuthenticatorTest, TellsWhatIsWrongWithAnAuthorization) {
  const auto verdicts =
      Validate({"", "Bearer", "Bearer a b", "Basic x", "Bearer x", Authorization(3, 0)});
  const auto reason = [&](std::size_t i) { return verdicts[i].error().reason; };
  EXPECT_EQ(reason(0), "Invalid JWT token");
  EXPECT_EQ(reason(1), "Invalid JWT token");
  EXPECT_EQ(reason(2), "Invalid JWT token");
  EXPECT_EQ(reason(3), "Invalid token scheme");
  EXPECT_EQ(reason(4), "Invalid authorization token, Not enough segments");
  EXPECT_TRUE(verdicts[5]);
  EXPECT_TRUE(Validate({}).empty());
}

// The cache remembers only the signature.
TEST_F(AuthenticatorTest, AKnownTokenIsStillJudgedByTheDatabase) {
  const std::string authorization = Authorization(10, 1);
  EXPECT_TRUE(Validate({authorization})[0]->is_admin);
  database_.Run("UPDATE users SET is_admin = false, email = 'new@example.com' WHERE id = 10");
  EXPECT_EQ(Validate({authorization})[0], (Identity{.id = 10, .email = "new@example.com"}));
  database_.Run("UPDATE users SET token_version = token_version + 1 WHERE id = 10");
  EXPECT_EQ(Validate({authorization})[0].error().reason, "Token is revoked");
  EXPECT_FALSE(Run(authenticator_->Authenticate(std::string_view(authorization).substr(7))));
  EXPECT_TRUE(Validate({Authorization(10, 2)})[0]);
  database_.Run("DELETE FROM users WHERE id = 10");
  EXPECT_EQ(Validate({Authorization(10, 2)})[0].error().reason, "Token is revoked");
}

TEST_F(AuthenticatorTest, ASessionAndAVersionDoNotStandForEachOther) {
  const auto is_accepted = [&](const std::string& authorization) {
    const bool validated = Validate({authorization})[0].has_value();
    const auto caller = Run(authenticator_->Authenticate(authorization.substr(7)));
    EXPECT_EQ(caller.has_value(), validated);
    return validated;
  };
  const std::string session = OfSession(10, 1);
  const std::string other_session = OfSession(10, 2);
  const std::string without = Authorization(10, 1);
  EXPECT_TRUE(is_accepted(session) && is_accepted(other_session) && is_accepted(without));
  database_.Run("UPDATE users SET token_version = token_version + 1 WHERE id = 10");
  EXPECT_TRUE(is_accepted(session) && is_accepted(other_session) && !is_accepted(without));
  database_.Run("DELETE FROM sessions WHERE user_id = 10 AND id = 1");
  EXPECT_TRUE(!is_accepted(session) && is_accepted(other_session));
  database_.Run(
      "UPDATE users SET token_version = token_version + 1, password = 'new' WHERE id = 10");
  EXPECT_FALSE(is_accepted(other_session));
}

TEST_F(AuthenticatorTest, WithoutADatabaseNobodyIsToldApart) {
  auto nowhere = database_.settings();
  nowhere.servers.front().port = 1;
  platform::postgres::Client client(io_.get_executor(), nowhere);
  UserStore users(client);
  Authenticator authenticator(codec_, users);
  const std::string valid = Authorization(1, 1);
  const auto verdicts = Run(authenticator.Validate({valid, "Bearer x", valid}));
  EXPECT_EQ(verdicts[0].error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(verdicts[1].error().code, ErrorCode::kUnauthenticated);
  EXPECT_EQ(verdicts[2].error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace customers
