#include "platform/http/request_head.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <cstring>

namespace platform::http {
namespace {

using boost::beast::iequals;

bool IsDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Accepts uri-host [ ":" port ] (RFC 3986), without checking the address itself.
bool IsHost(std::string_view host) {
  static constexpr std::string_view kPunctuation = "-._~!$&'()*+;=:[]%";
  return !host.empty() && std::ranges::all_of(host, [](unsigned char c) {
    return std::isalnum(c) != 0 || kPunctuation.contains(static_cast<char>(c));
  });
}

}  // namespace

HeadScanner::State HeadScanner::Scan(std::string_view bytes) {
  while (scanned_ < bytes.size()) {
    const std::size_t newline = bytes.find('\n', scanned_);
    const std::size_t end = newline == std::string_view::npos ? bytes.size() : newline;
    if (std::memchr(bytes.data() + scanned_, '\0', end - scanned_) != nullptr) {
      return State::kMalformed;
    }
    scanned_ = end;
    if (newline == std::string_view::npos) return State::kIncomplete;
    if (newline == line_start_ || bytes[newline - 1] != '\r') return State::kMalformed;
    const std::size_t length = newline - 1 - line_start_;
    const bool is_folded = bytes[line_start_] == ' ' || bytes[line_start_] == '\t';
    if (is_folded) return State::kMalformed;
    scanned_ = newline + 1;
    const bool is_first = line_start_ == 0;
    line_start_ = scanned_;
    if (length == 0 && !is_first) {
      size_ = scanned_;
      return State::kComplete;
    }
    if (length == 0) return State::kMalformed;
  }
  return State::kIncomplete;
}

bool IsOriginForm(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  return path.starts_with('/') &&
         std::ranges::all_of(path, [](char c) { return c > ' ' && c < 0x7f; });
}

OrStatus<Framing> CheckFraming(unsigned version, std::span<const HeaderField> headers) {
  if (version != 10 && version != 11) return std::unexpected(ErrorStatus::kBadRequest);
  Framing framing{.keep_alive = version == 11};
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  for (const auto& [name, value] : headers) {
    if (iequals(name, "Host")) {
      ++hosts;
      if (!IsHost(value)) return std::unexpected(ErrorStatus::kBadRequest);
    } else if (iequals(name, "Content-Length")) {
      ++lengths;
      if (!IsDigits(value)) return std::unexpected(ErrorStatus::kBadRequest);
    } else if (iequals(name, "Transfer-Encoding")) {
      ++encodings;
      if (!iequals(value, "chunked")) return std::unexpected(ErrorStatus::kBadRequest);
    } else if (iequals(name, "Connection")) {
      boost::beast::http::token_list tokens(value);
      if (tokens.exists("close")) framing.keep_alive = false;
      if (version == 10 && tokens.exists("keep-alive")) framing.keep_alive = true;
    } else if (iequals(name, "Expect")) {
      if (!iequals(value, "100-continue")) {
        return std::unexpected(ErrorStatus::kExpectationFailed);
      }
      framing.expects_continue = version == 11;
    }
  }
  const bool is_bad = lengths + encodings > 1 || (encodings == 1 && version == 10) || hosts > 1 ||
                      (hosts == 0 && version == 11);
  if (is_bad) return std::unexpected(ErrorStatus::kBadRequest);
  return framing;
}

}  // namespace platform::http
