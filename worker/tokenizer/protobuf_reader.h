// ProtobufReader: the fields of one protobuf message, in the order in which they stand. Only the
// wire format is known here; what a field means, its number says to the caller.
//
//   ProtobufReader reader(bytes);
//   while (true) {
//     EMEND_ASSIGN_OR_RETURN(const auto field, reader.Next());
//     if (!field.has_value()) break;
//     if (field->number == 1) ...
//   }
//
// Thread-safety: one thread. The bytes are borrowed and must outlive the reader and its fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "storage/base/status.h"

namespace emend::worker::tokenizer {

struct ProtobufField {
  enum class Kind { kNumber, kBytes };

  std::uint64_t number = 0;
  Kind kind = Kind::kNumber;
  std::uint64_t value = 0;  // kNumber: a varint, or the bits of a number of fixed size
  std::string_view bytes;   // kBytes: a text, bytes or a message

  // kInvalidArgument, slug "bad_tokenizer", if the field is of the other kind.
  Result<std::uint64_t> Number() const;
  Result<bool> Flag() const;
  Result<float> Float() const;
  Result<std::string_view> Bytes() const;
};

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view bytes) : bytes_(bytes) {}

  // The next field, or nothing at the end. kInvalidArgument, slug "bad_tokenizer", for what is no
  // field; the message says at which byte.
  Result<std::optional<ProtobufField>> Next();

 private:
  Result<std::uint64_t> Varint();
  Result<std::string_view> Take(std::uint64_t count);
  Status Broken(std::string_view what) const;

  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace emend::worker::tokenizer
