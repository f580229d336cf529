#pragma once

#include <array>
#include <cstddef>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cart {

// Reads CSV (RFC 4180) record by record, in bounded memory: fields are separated by commas, and may
// be quoted to contain commas, line breaks and, doubled, quotation marks. Lines end with LF or
// CRLF. A byte order mark at the beginning is skipped, and so are empty lines.
class CsvReader {
 public:
  // A longer record is malformed. No product needs as many bytes.
  static constexpr std::size_t kMaxRecordBytes = std::size_t{1} << 20U;

  // `input` must outlive the reader.
  explicit CsvReader(std::istream& input);

  // Reads the next record. Returns false at the end. If the record is malformed, problem() returns
  // the reason, and `fields` is of no use; reading continues at the next line.
  bool Next(std::vector<std::string>& fields);

  // Returns whether the end was reached because the input cannot be read.
  bool failed() const { return input_.bad(); }

  // The line on which the last record begins, from 1.
  std::size_t line() const { return line_; }
  std::optional<std::string_view> problem() const { return problem_; }

 private:
  static constexpr int kEnd = -1;

  int Peek();
  int Take();
  // Each reads one field and leaves the separator behind it.
  void ReadQuoted(std::string& field);
  void ReadPlain(std::string& field);
  // Returns whether the line ends here, and goes past its end.
  bool TakeLineEnd();
  void SkipLine();

  std::istream& input_;
  std::array<char, 65536> buffer_{};
  std::size_t begin_ = 0;  // What is read but not taken: [begin_, end_) of the buffer.
  std::size_t end_ = 0;
  std::size_t next_line_ = 1;
  std::size_t line_ = 0;
  std::size_t record_bytes_ = 0;
  std::optional<std::string_view> problem_;
};

}  // namespace cart
