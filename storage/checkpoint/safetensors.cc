#include "storage/checkpoint/safetensors.h"

#include <algorithm>
#include <tuple>

#include "storage/checkpoint/header_json.h"

namespace emend::storage::checkpoint {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kHeaderBytesMax = 100'000'000;

Status Refuse(const std::string& slug, const std::string& file_name, const std::string& what) {
  return {StatusCode::kInvalidArgument, "safetensors_" + slug,
          "reading the header of \"" + file_name + "\": " + what};
}

Result<std::string_view> HeaderText(std::span<const std::uint8_t> file,
                                    const std::string& file_name) {
  if (file.size() < kLengthBytes) {
    return Refuse("too_short", file_name,
                  "the file has " + std::to_string(file.size()) +
                      " bytes, expected at least the 8 of the header's length");
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) length |= std::uint64_t{file[i]} << (8 * i);
  const std::uint64_t length_max = std::min(kHeaderBytesMax, file.size() - kLengthBytes);
  if (length > length_max) {
    return Refuse(
        "header_too_long", file_name,
        "found a header of " + std::to_string(length) + " bytes, expected at most " +
            std::to_string(length_max) +
            " (the file's end, or 100 MB); the file is cut short or is no safetensors file");
  }
  return std::string_view(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
}

// dtype × shape, refusing a product that leaves 64 bits even if a later dimension is 0.
Result<std::uint64_t> ByteCount(const HeaderEntry& entry, delta::DType dtype,
                                const std::string& file_name) {
  std::uint64_t bytes = delta::ElementBytes(dtype);
  bool is_empty = false;
  for (const std::uint64_t dim : entry.shape) {
    is_empty |= dim == 0;
    if (dim != 0 && __builtin_mul_overflow(bytes, dim, &bytes)) {
      return Refuse(
          "shape_overflow", file_name,
          "tensor \"" + entry.name + "\": its shape times the element size leaves 64 bits");
    }
  }
  return is_empty ? 0 : bytes;
}

Result<TensorView> MakeView(HeaderEntry entry, std::span<const std::uint8_t> data,
                            std::uint64_t data_offset, const std::string& file_name) {
  const std::string place = "tensor \"" + entry.name + "\": ";
  const Result<delta::DType> dtype = delta::DTypeFromName(entry.dtype);
  if (!dtype.ok()) {
    return Status(
        StatusCode::kUnsupported, "safetensors_unknown_dtype",
        "reading the header of \"" + file_name + "\": " + place + dtype.status().message());
  }
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t expected, ByteCount(entry, *dtype, file_name));
  const std::string offsets =
      "data_offsets [" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + "]";
  if (entry.begin > entry.end)
    return Refuse("offsets_reversed", file_name, place + offsets + " end before they begin");
  if (entry.end > data.size()) {
    return Refuse("offsets_past_the_end", file_name,
                  place + offsets + " reach past the " + std::to_string(data.size()) +
                      " bytes of data; the file may be cut short");
  }
  if (entry.end - entry.begin != expected) {
    return Refuse("size_mismatch", file_name,
                  place + offsets + " hold " + std::to_string(entry.end - entry.begin) +
                      " bytes, expected " + std::to_string(expected) + " by dtype and shape");
  }
  TensorView view;
  view.name = std::move(entry.name);
  view.dtype = *dtype;
  view.shape = std::move(entry.shape);
  view.bytes = data.subspan(entry.begin, expected);
  view.file = file_name;
  view.file_offset = data_offset + entry.begin;
  return view;
}

// The tensors, sorted by offset, cover the data from end to end.
Status CheckCover(const std::vector<TensorView>& views, std::uint64_t data_offset,
                  std::uint64_t file_size, const std::string& file_name) {
  std::uint64_t cursor = data_offset;
  for (const TensorView& view : views) {
    const std::string place = "tensor \"" + view.name + "\" begins at byte " +
                              std::to_string(view.file_offset) + " of the file, and ";
    if (view.file_offset < cursor) {
      return Refuse(
          "offsets_overlap", file_name,
          place + "the one before it ends at " + std::to_string(cursor) + ": they overlap");
    }
    if (view.file_offset > cursor) {
      return Refuse("offsets_hole", file_name,
                    place + "the one before it ends at " + std::to_string(cursor) +
                        ": the bytes between belong to none");
    }
    cursor += view.bytes.size();
  }
  if (cursor == file_size) return OkStatus();
  return Refuse("trailing_bytes", file_name,
                "the last tensor ends at byte " + std::to_string(cursor) + ", the file at " +
                    std::to_string(file_size));
}

}  // namespace

Result<std::vector<TensorView>> ParseSafetensors(std::span<const std::uint8_t> file,
                                                 const std::string& file_name) {
  EMEND_ASSIGN_OR_RETURN(const std::string_view header, HeaderText(file, file_name));
  EMEND_ASSIGN_OR_RETURN(std::vector<HeaderEntry> entries, ParseHeader(header, file_name));
  const std::uint64_t data_offset = kLengthBytes + header.size();
  const std::span<const std::uint8_t> data = file.subspan(data_offset);
  std::vector<TensorView> views;
  views.reserve(entries.size());
  for (HeaderEntry& entry : entries) {
    EMEND_ASSIGN_OR_RETURN(TensorView view,
                           MakeView(std::move(entry), data, data_offset, file_name));
    views.push_back(std::move(view));
  }
  std::sort(views.begin(), views.end(), [](const TensorView& x, const TensorView& y) {
    return std::make_tuple(x.file_offset, x.bytes.size(), std::string_view(x.name)) <
           std::make_tuple(y.file_offset, y.bytes.size(), std::string_view(y.name));
  });
  EMEND_RETURN_IF_ERROR(CheckCover(views, data_offset, file.size(), file_name));
  return views;
}

}  // namespace emend::storage::checkpoint
