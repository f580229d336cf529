#include "platform/migrations/connection.h"

#include <libpq-fe.h>

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "platform/postgres/unconfirmed_commit.h"

namespace platform::migrations {
namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

// Removes the line break at the end of libpq's messages.
std::string Trimmed(const char* text) {
  std::string trimmed = text == nullptr ? "" : text;
  trimmed.erase(trimmed.find_last_not_of(" \n") + 1);
  return trimmed;
}

std::size_t ToNumber(std::string_view digits) {
  std::size_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

// Returns the line of the `position`th character (not byte) of a UTF-8 text, both counted from 1.
std::size_t LineOf(std::string_view sql, std::size_t position) {
  std::size_t line = 1;
  std::size_t characters = 0;
  for (const char byte : sql) {
    const bool continues_character = (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
    if (!continues_character && ++characters == position) {
      break;
    }
    line += byte == '\n' ? 1 : 0;
  }
  return line;
}

SqlError ToError(const PGconn* connection, const PGresult* result, std::string_view sql) {
  const auto field = [result](int code) { return Trimmed(PQresultErrorField(result, code)); };
  SqlError error{.sqlstate = field(PG_DIAG_SQLSTATE),
                 .message = field(PG_DIAG_MESSAGE_PRIMARY),
                 .detail = field(PG_DIAG_MESSAGE_DETAIL),
                 .hint = field(PG_DIAG_MESSAGE_HINT),
                 .context = field(PG_DIAG_CONTEXT)};
  if (error.message.empty()) {
    error.message = Trimmed(PQerrorMessage(connection));
  }
  if (const auto position = ToNumber(field(PG_DIAG_STATEMENT_POSITION)); position > 0) {
    error.line = LineOf(sql, position);
  }
  return error;
}

void TakeRows(const PGresult* result, SqlResult& into) {
  into.rows.clear();
  for (int row = 0; row < PQntuples(result); ++row) {
    auto& cells = into.rows.emplace_back();
    for (int column = 0; column < PQnfields(result); ++column) {
      cells.emplace_back(PQgetvalue(result, row, column));
    }
  }
}

}  // namespace

void Connection::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

std::expected<Connection, Connection::OpenError> Connection::Open(
    const postgres::Settings& settings, std::chrono::seconds timeout, const Warn& warn,
    const std::string& application_name) {
  std::string hosts;
  std::string ports;
  for (const postgres::Server& server : settings.servers) {
    hosts += (hosts.empty() ? "" : ",") + server.host;
    ports += (ports.empty() ? "" : ",") + std::to_string(server.port);
  }
  const std::string seconds = std::to_string(timeout.count());
  const std::array keywords{"host",
                            "port",
                            "dbname",
                            "user",
                            "password",
                            "sslmode",
                            "connect_timeout",
                            "client_encoding",
                            "options",
                            "application_name",
                            "target_session_attrs",
                            static_cast<const char*>(nullptr)};
  // Time limits that the role or the database sets for ordinary statements must not apply here.
  const std::array values{hosts.c_str(),
                          ports.c_str(),
                          settings.database.c_str(),
                          settings.user.c_str(),
                          settings.password.Reveal().c_str(),
                          settings.sslmode.c_str(),
                          seconds.c_str(),
                          "UTF8",
                          "-c statement_timeout=0 -c client_min_messages=warning",
                          application_name.c_str(),
                          "read-write",
                          static_cast<const char*>(nullptr)};

  Connection opened;
  opened.notices_ = std::make_unique<Notices>(Notices{.warn = warn});
  opened.connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 0));
  if (PQstatus(opened.connection_.get()) != CONNECTION_OK) {
    const PGPing ping = PQpingParams(keywords.data(), values.data(), 0);
    return std::unexpected(
        OpenError{.message = Trimmed(PQerrorMessage(opened.connection_.get())),
                  .not_up_yet = ping == PQPING_NO_RESPONSE || ping == PQPING_REJECT});
  }
  PQsetNoticeReceiver(
      opened.connection_.get(),
      [](void* receiver, const PGresult* notice) {
        auto& notices = *static_cast<Notices*>(receiver);
        notices.is_unconfirmed =
            notices.is_unconfirmed || postgres::ReportsUnconfirmedCommit(notice);
        notices.warn(Trimmed(PQresultErrorMessage(notice)));
      },
      opened.notices_.get());
  return opened;
}

std::expected<SqlResult, SqlError> Connection::Run(const std::string& sql,
                                                   std::initializer_list<std::string> parameters) {
  PGconn* const connection = connection_.get();
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) {
    values.push_back(parameter.c_str());
  }
  const int sent = values.empty()
                       ? PQsendQuery(connection, sql.c_str())
                       : PQsendQueryParams(connection, sql.c_str(), static_cast<int>(values.size()),
                                           nullptr, values.data(), nullptr, nullptr, 0);
  if (sent != 1) {
    return std::unexpected(SqlError{.message = Trimmed(PQerrorMessage(connection))});
  }

  // All results must be read, also the ones behind an error.
  SqlResult answer;
  std::optional<SqlError> error;
  while (const ResultPtr result{PQgetResult(connection)}) {
    switch (PQresultStatus(result.get())) {
      case PGRES_TUPLES_OK:
        TakeRows(result.get(), answer);
        break;
      case PGRES_COMMAND_OK:
      case PGRES_EMPTY_QUERY:
        break;
      case PGRES_COPY_IN:
        PQputCopyEnd(connection, "a migration has no data to COPY from");
        break;
      default:
        if (!error) {
          error = ToError(connection, result.get(), sql);
        }
        if (PQresultStatus(result.get()) == PGRES_COPY_OUT) {
          return std::unexpected(SqlError{.message = "a migration cannot COPY to its client"});
        }
    }
    if (std::string_view{PQcmdStatus(result.get())}.starts_with("INSERT ")) {
      answer.inserted += ToNumber(PQcmdTuples(result.get()));
    }
  }
  if (error) {
    return std::unexpected(*std::move(error));
  }
  if (auto confirmed = Confirm(); !confirmed) {
    return std::unexpected(std::move(confirmed).error());
  }
  return answer;
}

std::expected<void, SqlError> Connection::CopyIn(
    const std::string& sql, const std::function<std::optional<std::string_view>()>& next) {
  PGconn* const connection = connection_.get();
  const ResultPtr begun{PQexec(connection, sql.c_str())};
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) {
    return std::unexpected(ToError(connection, begun.get(), sql));
  }
  bool is_sent = true;
  while (const auto chunk = next()) {
    is_sent = PQputCopyData(connection, chunk->data(), static_cast<int>(chunk->size())) == 1;
    if (!is_sent) break;
  }
  is_sent = is_sent && PQputCopyEnd(connection, nullptr) == 1;
  std::optional<SqlError> error;
  if (!is_sent) error = SqlError{.message = Trimmed(PQerrorMessage(connection))};
  while (const ResultPtr result{PQgetResult(connection)}) {
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
      error = ToError(connection, result.get(), sql);
      if (PQresultStatus(result.get()) == PGRES_COPY_IN) break;  // The connection is lost.
    }
  }
  if (error) return std::unexpected(*std::move(error));
  return Confirm();
}

std::expected<void, SqlError> Connection::CopyOut(
    const std::string& sql, const std::function<void(std::string_view)>& take) {
  PGconn* const connection = connection_.get();
  const ResultPtr begun{PQexec(connection, sql.c_str())};
  if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) {
    return std::unexpected(ToError(connection, begun.get(), sql));
  }
  char* row = nullptr;
  int size = 0;
  while ((size = PQgetCopyData(connection, &row, 0)) > 0) {
    const std::unique_ptr<char, decltype(&PQfreemem)> owner(row, PQfreemem);
    take({row, static_cast<std::size_t>(size)});
  }
  std::optional<SqlError> error;
  while (const ResultPtr result{PQgetResult(connection)}) {
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
      error = ToError(connection, result.get(), sql);
      if (PQresultStatus(result.get()) == PGRES_COPY_OUT) break;  // The connection is lost.
    }
  }
  if (error) return std::unexpected(*std::move(error));
  return {};
}

std::expected<void, SqlError> Connection::Confirm() {
  if (std::exchange(notices_->is_unconfirmed, false)) {
    return std::unexpected(
        SqlError{.message = std::string(postgres::kUnconfirmedCommit), .is_unconfirmed = true});
  }
  return {};
}

bool Connection::in_transaction() const {
  return PQtransactionStatus(connection_.get()) == PQTRANS_INTRANS;
}

}  // namespace platform::migrations
