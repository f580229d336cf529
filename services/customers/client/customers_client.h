#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "services/customers/client/token_validation_stream.h"
#include "services/customers/client/token_validator.h"

namespace customers::client {

struct TokenValidatorOptions {
  TokenValidationStreamOptions stream;
  // Validations without an answer, whichever way they are asked, and the bytes of their headers;
  // one more is kUnavailable at once. Over the stream, those whose deadline has passed count until
  // customers answers or the stream ends.
  std::size_t max_in_flight = 2048;
  std::size_t max_in_flight_bytes = std::size_t{4} << 20;
  // How long a customers that has no stream is asked one call at a time before the stream is tried
  // again.
  std::chrono::milliseconds unary_period{60'000};
};

// The validator for one worker's event loop: asks over a stream, or with unary calls where
// customers has no stream. Destroyed on that loop's thread, or after it has ended; what waits then
// is kUnavailable.
std::unique_ptr<TokenValidator> MakeTokenValidator(const boost::asio::any_io_executor& executor,
                                                   TokenValidatorOptions options);

}  // namespace customers::client
