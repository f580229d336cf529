#include "tests/fuzz/responses.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cctype>
#include <charconv>

#include "platform/trace/request_id.h"
#include "tests/fuzz/check.h"

namespace fuzz {
namespace {

using platform::http::Method;

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  Check(end != std::string_view::npos, "lines end with CRLF");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  Check(std::ranges::none_of(line, [](char c) { return static_cast<unsigned char>(c) < ' '; }),
        "no control character in a line");
  return line;
}

template <class T>
T ReadNumber(std::string_view digits) {
  T number{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  Check(error == std::errc() && end == digits.data() + digits.size(), "a number has digits only");
  return number;
}

// The status line and the headers.
SeenResponse ReadHead(std::string_view& text) {
  SeenResponse response;
  const std::string_view status_line = TakeLine(text);
  Check(status_line.starts_with("HTTP/1.1 ") && status_line.size() > 13 && status_line[12] == ' ',
        "a status line has a version, a status and a reason");
  response.status = ReadNumber<unsigned>(status_line.substr(9, 3));
  for (std::string_view line = TakeLine(text); !line.empty(); line = TakeLine(text)) {
    const std::size_t colon = line.find(": ");
    Check(colon != std::string_view::npos && colon != 0, "a header has a name and a value");
    const std::string_view name = line.substr(0, colon);
    Check(
        std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; }),
        "a header's name is a plain word");
    const bool is_first =
        response.headers.emplace(name, std::string(line.substr(colon + 2))).second;
    Check(is_first || name == "Vary", "a header is sent once");
  }
  return response;
}

void CheckHeaders(const SeenResponse& response) {
  for (const char* name : {"Content-Type", "Date", "X-Request-ID", "Connection", "Vary",
                           "X-Content-Type-Options", "Cache-Control"}) {
    Check(response.headers.contains(name), "every answer has the common headers");
  }
  Check(platform::trace::IsRequestId(response.headers.find("X-Request-ID")->second),
        "a request id is plain text");
  Check(response.status < 500 || response.status == 503, "no input breaks the service");
  Check(response.status != 405 || response.headers.contains("Allow"),
        "a 405 names the allowed methods");
}

}  // namespace

std::vector<SeenResponse> ReadResponses(std::string_view received,
                                        const std::vector<Method>& requests) {
  std::vector<SeenResponse> responses;
  while (!received.empty()) {
    SeenResponse response = ReadHead(received);
    if (response.status == 100) {
      Check(response.headers.empty(), "100 only says to go on");
      continue;
    }
    CheckHeaders(response);
    const auto length = response.headers.find("Content-Length");
    const bool has_length = length != response.headers.end();
    Check(has_length != (response.status == 204 || response.status == 304),
          "an answer has a length, but not where there is no body");
    const bool is_refusal = responses.size() >= requests.size();
    const bool is_bodiless =
        !has_length ||
        (is_refusal ? received.empty() : requests[responses.size()] == Method::kHead);
    if (!is_bodiless) {
      const auto size = ReadNumber<std::size_t>(length->second);
      Check(size <= received.size(), "a body is as long as it says");
      response.body = received.substr(0, size);
      received.remove_prefix(size);
      if (size != 0 && response.headers["Content-Type"] == "application/json" &&
          !response.headers.contains("Content-Encoding")) {
        boost::system::error_code error;
        boost::json::parse({response.body.data(), response.body.size()}, error);
        Check(!error, "a body is JSON");
        Check(response.status != 503 || !response.body.starts_with(R"({"error")") ||
                  response.headers.contains("Retry-After"),
              "a 503 has a Retry-After");
      }
    }
    responses.push_back(std::move(response));
  }
  return responses;
}

void CheckConversation(const std::vector<SeenResponse>& responses, std::size_t requests) {
  Check(responses.size() >= requests, "each request is answered");
  Check(responses.size() <= requests + 1, "each request is answered once");
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const bool is_last = i + 1 == responses.size();
    const bool says_close = responses[i].headers.find("Connection")->second == "close";
    Check(is_last || !says_close, "nothing follows the last answer");
    if (i < requests) continue;
    Check(says_close, "a refusal closes the connection");
    Check(responses[i].status >= 400, "a refusal is an error");
  }
}

}  // namespace fuzz
