#include "platform/postgres/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libpq-fe.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace platform::postgres::internal {

namespace {

std::string Field(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? std::string() : std::string(text);
}

// A read by key has one good plan for any number of keys: to look each of them up in the indexes.
// If the server chose, it would read a small table as a whole, and plan again and again at several
// times the cost of executing.
constexpr std::string_view kKeyReadOptions =
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off "
    "-c enable_mergejoin=off";

// Returns settings of the session, in the form of command-line options of the server process.
std::string SessionOptions(const ClientOptions& options, Lane lane) {
  // The server gives up before the client does, so that a slow statement fails alone.
  const auto statement_timeout =
      std::max<std::chrono::milliseconds::rep>(options.deadline.count() * 9 / 10, 1);
  // Without the server's warnings, an unconfirmed commit would look like a confirmed one.
  return fmt::format("-c statement_timeout={} -c client_min_messages=notice {}{} {}",
                     statement_timeout, kSessionOptions,
                     lane == Lane::kWrite ? "" : " -c default_transaction_read_only=on",
                     lane == Lane::kKeyRead ? kKeyReadOptions : "");
}

// Returns a list for libpq, with one name for each address.
std::string Repeat(const std::string& name, std::size_t times) {
  return fmt::format("{}", fmt::join(std::vector<std::string>(times, name), ","));
}

}  // namespace

void Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

bool NeedsResolving(const std::string& host) {
  if (host.starts_with('/')) {
    return false;
  }
  boost::system::error_code error;
  boost::asio::ip::make_address(host, error);
  return error.failed();
}

Session StartConnecting(const Settings& settings, const Server& server,
                        const std::vector<std::string>& addresses, const ClientOptions& options,
                        Lane lane) {
  const std::string host = Repeat(server.host, std::max<std::size_t>(addresses.size(), 1));
  const std::string hostaddr = fmt::format("{}", fmt::join(addresses, ","));
  const std::string port = fmt::format("{}", server.port);
  const std::string session_options = SessionOptions(options, lane);
  const std::string user_timeout = fmt::format("{}", options.deadline.count());
  // The other lanes make their own sessions read-only.
  const char* const session_attributes = lane == Lane::kWrite ? "read-write" : "primary";
  const std::vector<const char*> keywords{"host",
                                          "hostaddr",
                                          "port",
                                          "dbname",
                                          "user",
                                          "password",
                                          "sslmode",
                                          "application_name",
                                          "client_encoding",
                                          "options",
                                          "gssencmode",
                                          "keepalives_idle",
                                          "keepalives_interval",
                                          "keepalives_count",
                                          "tcp_user_timeout",
                                          "target_session_attrs",
                                          nullptr};
  const std::vector<const char*> values{host.c_str(),
                                        hostaddr.c_str(),
                                        port.c_str(),
                                        settings.database.c_str(),
                                        settings.user.c_str(),
                                        settings.password.Reveal().c_str(),
                                        settings.sslmode.c_str(),
                                        options.application_name.c_str(),
                                        "UTF8",
                                        session_options.c_str(),
                                        "disable",
                                        "30",
                                        "5",
                                        "3",
                                        user_timeout.c_str(),
                                        session_attributes,
                                        nullptr};
  // Zero means that the database's name is never parsed as a connection string.
  return Session(PQconnectStartParams(keywords.data(), values.data(), 0));
}

std::string LastError(const pg_conn* connection) {
  std::string message = PQerrorMessage(connection);
  while (!message.empty() && message.back() == '\n') {
    message.pop_back();
  }
  std::ranges::replace(message, '\n', ' ');
  return message;
}

QueryError ErrorOf(const pg_result* result, bool& fatal) {
  QueryError error{.kind = QueryError::Kind::kRejected,
                   .sqlstate = Field(result, PG_DIAG_SQLSTATE),
                   .constraint = Field(result, PG_DIAG_CONSTRAINT_NAME),
                   .detail = Field(result, PG_DIAG_MESSAGE_DETAIL),
                   .message = Field(result, PG_DIAG_MESSAGE_PRIMARY)};
  const std::string severity = Field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  // An error without a SQLSTATE is libpq's: a lost connection or a protocol error.
  fatal = severity == "FATAL" || severity == "PANIC" || error.sqlstate.empty();
  if (error.message.empty()) {
    error.message = PQresultErrorMessage(result);
  }
  return error;
}

Rows::Rows(pg_result* result)
    : result_(result, PQclear), size_(static_cast<std::size_t>(PQntuples(result))) {}

Rows Rows::Part(std::size_t first, std::size_t count, std::size_t skipped) const {
  Rows part = *this;
  part.first_ = first_ + first;
  part.size_ = count;
  part.skipped_ = skipped_ + skipped;
  return part;
}

std::size_t Rows::affected() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::size_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

std::size_t Rows::columns() const {
  return static_cast<std::size_t>(PQnfields(result_.get())) - skipped_;
}

void Rows::ExpectColumns(std::size_t count) const {
  if (columns() != count) {
    throw std::runtime_error(
        fmt::format("postgres: {} columns where the row has {}", columns(), count));
  }
}

unsigned Rows::type(std::size_t column) const {
  return PQftype(result_.get(), static_cast<int>(skipped_ + column));
}

std::optional<std::string_view> Rows::value(std::size_t row, std::size_t column) const {
  const int r = static_cast<int>(first_ + row);
  const int c = static_cast<int>(skipped_ + column);
  const int length = PQgetlength(result_.get(), r, c);
  if (length == 0 && PQgetisnull(result_.get(), r, c) == 1) {
    return std::nullopt;
  }
  return std::string_view(PQgetvalue(result_.get(), r, c), static_cast<std::size_t>(length));
}

void Rows::ThrowUnexpectedType(std::size_t column) const {
  throw std::runtime_error(fmt::format("postgres: column {} ({}) has the unexpected type {}",
                                       column, name(column), type(column)));
}

void Rows::ThrowUnexpectedNull(std::size_t column) const {
  throw std::runtime_error(fmt::format("postgres: column {} ({}) is NULL", column, name(column)));
}

const char* Rows::name(std::size_t column) const {
  return PQfname(result_.get(), static_cast<int>(skipped_ + column));
}

}  // namespace platform::postgres::internal
