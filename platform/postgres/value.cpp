#include "platform/postgres/value.h"

#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace platform::postgres {

namespace {

// PostgreSQL counts its timestamps from 2000-01-01.
constexpr std::int64_t kEpochShift =
    std::chrono::microseconds(std::chrono::sys_days(std::chrono::year(2000) / 1 / 1) -
                              std::chrono::sys_days{})
        .count();

template <std::integral T>
void Append(T value, std::string& out) {
  if constexpr (std::endian::native == std::endian::little) {
    value = std::byteswap(value);
  }
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

template <std::integral T>
T Read(std::string_view bytes) {
  if (bytes.size() != sizeof(T)) {
    throw std::runtime_error("postgres: a value of unexpected length");
  }
  T value = 0;
  std::memcpy(&value, bytes.begin(), sizeof value);
  if constexpr (std::endian::native == std::endian::little) {
    value = std::byteswap(value);
  }
  return value;
}

// Removes the first `count` bytes from `bytes` and returns them.
std::string_view Take(std::string_view& bytes, std::size_t count) {
  if (bytes.size() < count) {
    throw std::runtime_error("postgres: a truncated array");
  }
  const std::string_view taken = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return taken;
}

}  // namespace

void Codec<bool>::Encode(bool value, std::string& out) { out.push_back(value ? '\1' : '\0'); }
bool Codec<bool>::Decode(std::string_view bytes) { return Read<std::int8_t>(bytes) != 0; }

void Codec<std::int16_t>::Encode(std::int16_t value, std::string& out) { Append(value, out); }
std::int16_t Codec<std::int16_t>::Decode(std::string_view bytes) {
  return Read<std::int16_t>(bytes);
}

void Codec<std::int32_t>::Encode(std::int32_t value, std::string& out) { Append(value, out); }
std::int32_t Codec<std::int32_t>::Decode(std::string_view bytes) {
  return Read<std::int32_t>(bytes);
}

void Codec<std::int64_t>::Encode(std::int64_t value, std::string& out) { Append(value, out); }
std::int64_t Codec<std::int64_t>::Decode(std::string_view bytes) {
  return Read<std::int64_t>(bytes);
}

void Codec<Timestamp>::Encode(Timestamp value, std::string& out) {
  std::int64_t shifted = value.time_since_epoch().count();
  const bool infinite = value == Timestamp::max() || value == Timestamp::min();
  if (!infinite && __builtin_sub_overflow(shifted, kEpochShift, &shifted)) {
    throw std::out_of_range("postgres: a timestamp out of range");
  }
  Append(shifted, out);
}

Timestamp Codec<Timestamp>::Decode(std::string_view bytes) {
  using Limits = std::numeric_limits<std::int64_t>;
  auto value = Read<std::int64_t>(bytes);
  const bool infinite = value == Limits::max() || value == Limits::min();
  if (!infinite && __builtin_add_overflow(value, kEpochShift, &value)) {
    throw std::out_of_range("postgres: a timestamp out of range");
  }
  return Timestamp(std::chrono::microseconds(value));
}

namespace {

// Appends the beginning of an array of so many elements.
void AppendArrayHeader(std::size_t size, unsigned element_oid, std::string& out) {
  Append<std::int32_t>(size == 0 ? 0 : 1, out);
  Append<std::int32_t>(0, out);
  Append(element_oid, out);
  if (size == 0) {
    return;
  }
  Append(static_cast<std::int32_t>(size), out);
  Append<std::int32_t>(1, out);
}

}  // namespace

// The binary form of an array consists of the number of dimensions, a flag for NULLs, the element
// type, size and lower bound of each dimension, and the length and bytes of each element.
void Codec<std::vector<std::int32_t>>::Encode(std::span<const std::int32_t> values,
                                              std::string& out) {
  out.reserve(out.size() + 20 + 8 * values.size());
  AppendArrayHeader(values.size(), Codec<std::int32_t>::kOid, out);
  for (const std::int32_t value : values) {
    Append<std::int32_t>(sizeof value, out);
    Append(value, out);
  }
}

void Codec<std::vector<std::string>>::Encode(std::span<const std::string> values,
                                             std::string& out) {
  AppendArrayHeader(values.size(), Codec<std::string>::kOid, out);
  for (const std::string& value : values) {
    Append(static_cast<std::int32_t>(value.size()), out);
    out += value;
  }
}

std::vector<std::int32_t> Codec<std::vector<std::int32_t>>::Decode(std::string_view bytes) {
  const auto dimensions = Read<std::int32_t>(Take(bytes, 4));
  Take(bytes, 8);
  if (dimensions == 0) {
    return {};
  }
  if (dimensions != 1) {
    throw std::runtime_error("postgres: an array of more than one dimension");
  }
  const auto size = static_cast<std::uint32_t>(Read<std::int32_t>(Take(bytes, 4)));
  Take(bytes, 4);
  if (bytes.size() / 4 < size) {
    throw std::runtime_error("postgres: a truncated array");
  }
  std::vector<std::int32_t> values;
  values.reserve(size);
  for (std::uint32_t i = 0; i < size; ++i) {
    if (Read<std::int32_t>(Take(bytes, 4)) != 4) {
      throw std::runtime_error("postgres: an unexpected array element");
    }
    values.push_back(Read<std::int32_t>(Take(bytes, 4)));
  }
  return values;
}

}  // namespace platform::postgres
