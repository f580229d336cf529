#include "services/cart/src/catalogue/csv_reader.h"

namespace cart {

CsvReader::CsvReader(std::istream& input) : input_(input) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  Peek();
  if (std::string_view(buffer_.data(), end_).starts_with(kByteOrderMark)) {
    begin_ = kByteOrderMark.size();
  }
}

bool CsvReader::Next(std::vector<std::string>& fields) {
  problem_.reset();
  record_bytes_ = 0;
  do {
    line_ = next_line_;
  } while (TakeLineEnd());
  if (Peek() == kEnd) return false;
  for (std::size_t count = 1;; ++count) {
    if (fields.size() < count) fields.emplace_back();
    std::string& field = fields[count - 1];
    field.clear();
    Peek() == '"' ? ReadQuoted(field) : ReadPlain(field);
    if (problem_) {
      SkipLine();
      return true;
    }
    if (Peek() == ',') {
      Take();
    } else if (Peek() == kEnd || TakeLineEnd()) {
      fields.resize(count);
      return true;
    } else {
      problem_ = "There is text behind a closing quotation mark.";
      SkipLine();
      return true;
    }
  }
}

int CsvReader::Peek() {
  if (begin_ == end_) {
    input_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    begin_ = 0;
    end_ = static_cast<std::size_t>(input_.gcount());
    if (end_ == 0) return kEnd;
  }
  return static_cast<unsigned char>(buffer_[begin_]);
}

int CsvReader::Take() {
  const int byte = Peek();
  if (byte == kEnd) return byte;
  ++begin_;
  if (byte == '\n') ++next_line_;
  if (++record_bytes_ > kMaxRecordBytes) {
    problem_ = "It is longer than 1 MiB; perhaps a quotation mark is not closed.";
  }
  return byte;
}

void CsvReader::ReadQuoted(std::string& field) {
  Take();
  while (!problem_) {
    const int byte = Take();
    if (byte == kEnd) {
      problem_ = "A quotation mark is not closed.";
    } else if (byte != '"') {
      field += static_cast<char>(byte);
    } else if (Peek() == '"') {
      field += static_cast<char>(Take());
    } else {
      return;
    }
  }
}

void CsvReader::ReadPlain(std::string& field) {
  while (!problem_) {
    const int byte = Peek();
    if (byte == kEnd || byte == ',' || byte == '\n') break;
    if (byte == '"') problem_ = "There is a quotation mark within a field that is not quoted.";
    field += static_cast<char>(Take());
  }
  // The line ends with CRLF.
  if (Peek() == '\n' && field.ends_with('\r')) field.pop_back();
}

bool CsvReader::TakeLineEnd() {
  if (Peek() == '\r') {
    Take();
    if (Peek() != '\n') {
      problem_ = "There is a carriage return without a line feed.";
      return false;
    }
  }
  if (Peek() != '\n') return false;
  Take();
  return true;
}

void CsvReader::SkipLine() {
  while (Peek() != kEnd && Take() != '\n') {
  }
}

}  // namespace cart
