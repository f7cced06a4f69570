// Archive: a struct lists its fields once, inside itself, and is written and read by that list.
//
//   struct Token {
//     std::string id;
//     std::vector<std::string> scopes;
//     static auto Fields(auto& m) { return std::tie(m.id, m.scopes); }
//   };
//   WriteFields(out, token);  // an Encoder
//   ReadFields(in, token);    // a Decoder, with which failures stick
//
// A record says its head, too, which stands before its fields wherever it is written:
//
//     static constexpr RecordHead kHead = {RecordType::kToken, 1};
//
//   std::string bytes = EncodeRecord(token);
//   EMEND_ASSIGN_OR_RETURN(Token token, DecodeRecord<Token>(bytes));
//
// A field is a number, text, id, name, enum, a pair, list, map or optional of fields, or a struct
// with fields. Lists are a u32 count and the items, maps are lists of pairs with strictly rising
// keys, an optional is a u8 and the value, i32 is written as u32 (storage/base/encoding.h). Equal
// numbers are equal bytes: −0 is written as 0, and every NaN as one. An enum is a u8 from 1 to what
// `constexpr E LastOf(E)` beside it says. A name of fixed size is written without a length where
// `constexpr std::size_t RawBytesOf(const Name&)` beside it says the size.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "storage/base/encoding.h"

namespace emend {

struct RecordHead {
  RecordType type;
  std::uint16_t version = 1;
};

template <typename T>
concept HasFields = requires(T& value) { T::Fields(value); };
template <typename T>
concept HasHead = requires { T::kHead; };
template <typename T>
concept HasRawBytes = requires(const T& name) { RawBytesOf(name); };

class FieldWriter {
 public:
  explicit FieldWriter(Encoder& out) : out_(out) {}

  void Write(bool value) { out_.Bool(value); }
  void Write(std::uint8_t value) { out_.U8(value); }
  void Write(std::uint16_t value) { out_.U16(value); }
  void Write(std::uint32_t value) { out_.U32(value); }
  void Write(std::int32_t value) { out_.U32(static_cast<std::uint32_t>(value)); }
  void Write(std::uint64_t value) { out_.U64(value); }
  void Write(std::int64_t value) { out_.I64(value); }
  void Write(double value) {
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
    out_.F64(value == 0 ? 0 : value);
  }
  void Write(const std::string& value) { out_.Text(value); }
  void Write(const Digest& value) { out_.Raw(value.Raw()); }
  template <typename Tag>
  void Write(const ContentId<Tag>& id) {
    out_.Id(id);
  }
  template <typename T, typename Tag>
  void Write(const Named<T, Tag>& name) {
    if constexpr (HasRawBytes<Named<T, Tag>>) {
      EMEND_CHECK(name.value().size() == RawBytesOf(name), "a name of fixed size has another size");
      out_.Raw(name.value());
    } else {
      Write(name.value());
    }
  }
  template <typename E>
    requires std::is_enum_v<E>
  void Write(E value) {
    out_.U8(static_cast<std::uint8_t>(value));
  }
  template <typename A, typename B>
  void Write(const std::pair<A, B>& pair) {
    Write(pair.first);
    Write(pair.second);
  }
  template <typename T>
  void Write(const std::vector<T>& list) {
    out_.Count(list.size());
    for (const T& item : list) Write(item);
  }
  template <typename K, typename V>
  void Write(const std::map<K, V>& map) {
    out_.Count(map.size());
    for (const auto& item : map) Write(item);
  }
  template <typename T>
  void Write(const std::optional<T>& value) {
    out_.Bool(value.has_value());
    if (value) Write(*value);
  }
  template <typename... T>
  void Write(const std::tuple<T&...>& fields) {
    std::apply([this](const auto&... each) { (Write(each), ...); }, fields);
  }
  template <HasFields T>
  void Write(const T& value) {
    if constexpr (HasHead<T>) WriteHead(T::kHead);
    Write(T::Fields(value));
  }
  void WriteHead(const RecordHead& head) {
    out_.U16(static_cast<std::uint16_t>(head.type));
    out_.U16(head.version);
  }

 private:
  Encoder& out_;
};

class FieldReader {
 public:
  explicit FieldReader(Decoder& in) : in_(in) {}

  void Read(bool& value) { value = in_.Bool(); }
  void Read(std::uint8_t& value) { value = in_.U8(); }
  void Read(std::uint16_t& value) { value = in_.U16(); }
  void Read(std::uint32_t& value) { value = in_.U32(); }
  void Read(std::int32_t& value) { value = static_cast<std::int32_t>(in_.U32()); }
  void Read(std::uint64_t& value) { value = in_.U64(); }
  void Read(std::int64_t& value) { value = in_.I64(); }
  void Read(double& value) { value = in_.F64(); }
  void Read(std::string& value) { value = in_.Text(); }
  void Read(Digest& value) { value = in_.ReadId<Digest>(); }
  template <typename Tag>
  void Read(ContentId<Tag>& id) {
    id = in_.ReadId<ContentId<Tag>>();
  }
  template <typename T, typename Tag>
  void Read(Named<T, Tag>& name) {
    T value{};
    if constexpr (HasRawBytes<Named<T, Tag>>) {
      value = std::string(in_.Raw(RawBytesOf(name)));
    } else {
      Read(value);
    }
    name = Named<T, Tag>(std::move(value));
  }
  template <typename E>
    requires std::is_enum_v<E>
  void Read(E& value) {
    const std::uint8_t found = in_.U8();
    const auto last = static_cast<std::uint8_t>(LastOf(E()));
    if (in_.ok() && (found == 0 || found > last))
      in_.Fail("found " + std::to_string(found) + " for one of " + std::to_string(last) + " kinds");
    if (in_.ok()) value = static_cast<E>(found);
  }
  template <typename A, typename B>
  void Read(std::pair<A, B>& pair) {
    Read(pair.first);
    Read(pair.second);
  }
  template <typename T>
  void Read(std::vector<T>& list) {
    const std::size_t count = in_.Count(kItemBytesMin);
    // Grown as the items arrive: a lying count ends the loop, it does not allocate.
    for (std::size_t i = 0; i < count && in_.ok(); ++i) Read(list.emplace_back());
  }
  template <typename K, typename V>
  void Read(std::map<K, V>& map) {
    const std::size_t count = in_.Count(kItemBytesMin);
    for (std::size_t i = 0; i < count && in_.ok(); ++i) {
      std::pair<K, V> item;
      Read(item);
      if (!map.empty() && !(map.rbegin()->first < item.first))
        in_.Fail("the keys of a map do not rise");
      if (in_.ok()) map.emplace_hint(map.end(), std::move(item));
    }
  }
  template <typename T>
  void Read(std::optional<T>& value) {
    if (in_.Bool()) Read(value.emplace());
  }
  template <HasFields T>
  void Read(T& value) {
    if constexpr (HasHead<T>) ReadHead(T::kHead);
    std::apply([this](auto&... fields) { (Read(fields), ...); }, T::Fields(value));
  }

 private:
  static constexpr std::size_t kItemBytesMin = 4;  // no item of any list is shorter

  void ReadHead(const RecordHead& head) {
    const std::uint16_t found = in_.Record(head.type, head.version);
    if (in_.ok() && found != head.version)
      in_.Fail("found version " + std::to_string(found) + ", expected " +
               std::to_string(head.version));
  }

  Decoder& in_;
};

template <HasFields T>
void WriteFields(Encoder& out, const T& value) {
  FieldWriter(out).Write(value);
}
template <HasFields T>
void ReadFields(Decoder& in, T& value) {
  FieldReader(in).Read(value);
}

template <HasHead T>
std::string EncodeRecord(const T& value) {
  Encoder out;
  WriteFields(out, value);
  return std::move(out).bytes();
}
// kDataLoss if the bytes are anything but one such record.
template <HasHead T>
Result<T> DecodeRecord(std::string_view bytes) {
  Decoder in(bytes);
  T value;
  ReadFields(in, value);
  EMEND_RETURN_IF_ERROR(in.Finish());
  return value;
}

}  // namespace emend
