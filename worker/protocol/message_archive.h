// How the fields of messages are written and read: one list of fields per message (Visit in
// joining_fields.h, request_fields.h, reply_fields.h) serves both.
//
//   template <typename Archive> void Visit(Archive& archive, LoadBase& message) { archive(
//       message.base, message.folder); }
//
// Lists are a u32 count and the items, maps are lists of pairs with strictly rising keys, an
// optional is a u8 and the value (storage/base/encoding.h). Internal to this folder.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "storage/base/encoding.h"

namespace emend::worker::protocol {

// The number of a message or of a request or reply body on the wire; specialised beside its fields.
// Never renumber, only append.
template <typename Message>
inline constexpr std::uint16_t kKind = 0;

class MessageWriter {
 public:
  explicit MessageWriter(Encoder& out) : out_(out) {}

  template <typename... Fields>
  void operator()(const Fields&... fields) {
    (Write(fields), ...);
  }

 private:
  void Write(bool value) { out_.Bool(value); }
  void Write(std::uint16_t value) { out_.U16(value); }
  void Write(std::uint32_t value) { out_.U32(value); }
  void Write(std::int32_t value) { out_.U32(static_cast<std::uint32_t>(value)); }
  void Write(std::int64_t value) { out_.I64(value); }
  void Write(std::uint64_t value) { out_.U64(value); }
  void Write(double value) { out_.F64(value); }
  void Write(const std::string& value) { out_.Text(value); }
  void Write(const Digest& value) { out_.Raw(value.Raw()); }
  template <typename Tag>
  void Write(const ContentId<Tag>& id) {
    out_.Id(id);
  }
  template <typename T, typename Tag>
  void Write(const Named<T, Tag>& name) {
    Write(name.value());
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
  template <typename Message>
    requires std::is_class_v<Message>
  void Write(const Message& message) {
    // Visit is shared with the reader, which does change it
    Visit(*this, const_cast<Message&>(message));
  }

  Encoder& out_;
};

class MessageReader {
 public:
  explicit MessageReader(Decoder& in) : in_(in) {}

  template <typename... Fields>
  void operator()(Fields&... fields) {
    (Read(fields), ...);
  }

 private:
  void Read(bool& value) { value = in_.Bool(); }
  void Read(std::uint16_t& value) { value = in_.U16(); }
  void Read(std::uint32_t& value) { value = in_.U32(); }
  void Read(std::int32_t& value) { value = static_cast<std::int32_t>(in_.U32()); }
  void Read(std::int64_t& value) { value = in_.I64(); }
  void Read(std::uint64_t& value) { value = in_.U64(); }
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
    Read(value);
    name = Named<T, Tag>(std::move(value));
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
  template <typename Message>
    requires std::is_class_v<Message>
  void Read(Message& message) {
    Visit(*this, message);
  }

  static constexpr std::size_t kItemBytesMin = 4;  // no item of any list is shorter

  Decoder& in_;
};

}  // namespace emend::worker::protocol
