#include "worker/collective/exchange.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

namespace emend::worker::collective {
namespace {

constexpr std::int64_t kWord = sizeof(std::int64_t);

at::Tensor Pack(std::string_view bytes, std::int64_t size) {
  at::Tensor words = at::zeros({(size + kWord - 1) / kWord}, at::kLong);
  if (!bytes.empty()) std::memcpy(words.mutable_data_ptr(), bytes.data(), bytes.size());
  return words;
}

std::string Unpack(const at::Tensor& words, std::int64_t size) {
  return {static_cast<const char*>(words.const_data_ptr()), static_cast<std::size_t>(size)};
}

at::Tensor SizeOf(std::string_view bytes) {
  return at::full({1}, static_cast<std::int64_t>(bytes.size()), at::kLong);
}

// A failure as bytes: its code, its slug up to a line's end, its message. Nothing for ok.
std::string EncodeFailure(const Status& status) {
  if (status.ok()) return "";
  return std::string(1, static_cast<char>(status.code())) + status.slug() + "\n" + status.message();
}

Status DecodeFailure(std::string_view bytes) {
  if (bytes.empty()) return OkStatus();
  const std::size_t end = bytes.find('\n');
  return {static_cast<StatusCode>(bytes[0]), std::string(bytes.substr(1, end - 1)),
          std::string(bytes.substr(end + 1))};
}

}  // namespace

Result<std::string> BroadcastBytes(Communicator& communicator, std::string_view own, int root) {
  if (communicator.size() == 1) return std::string(own);
  at::Tensor size = SizeOf(own);
  EMEND_RETURN_IF_ERROR(communicator.Broadcast(size, root));
  const std::int64_t bytes = size.item<std::int64_t>();
  at::Tensor words = Pack(communicator.rank() == root ? own : std::string_view(), bytes);
  EMEND_RETURN_IF_ERROR(communicator.Broadcast(words, root));
  return Unpack(words, bytes);
}

Result<std::vector<std::string>> AllGatherBytes(Communicator& communicator, std::string_view own) {
  EMEND_ASSIGN_OR_RETURN(const at::Tensor sizes, communicator.AllGather(SizeOf(own)));
  EMEND_ASSIGN_OR_RETURN(const at::Tensor words,
                         communicator.AllGather(Pack(own, sizes.max().item<std::int64_t>())));
  std::vector<std::string> all;
  for (int rank = 0; rank < communicator.size(); ++rank)
    all.push_back(Unpack(words[rank], sizes[rank].item<std::int64_t>()));
  return all;
}

Result<std::string> BroadcastOutcome(Communicator& communicator, const Result<std::string>& own,
                                     int root) {
  if (communicator.size() == 1) return own;
  EMEND_ASSIGN_OR_RETURN(const std::string failure,
                         BroadcastBytes(communicator, EncodeFailure(own.status()), root));
  EMEND_RETURN_IF_ERROR(DecodeFailure(failure));
  return BroadcastBytes(communicator, own.ok() ? std::string_view(*own) : std::string_view(), root);
}

Status AgreeOn(Communicator& communicator, const Status& own) {
  if (communicator.size() == 1) return own;
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> failures,
                         AllGatherBytes(communicator, EncodeFailure(own)));
  const auto first =
      std::ranges::find_if(failures, [](const std::string& failure) { return !failure.empty(); });
  if (first == failures.end()) return OkStatus();
  return DecodeFailure(*first).WithContext("rank " + std::to_string(first - failures.begin()) +
                                           " of " + std::to_string(communicator.size()));
}

}  // namespace emend::worker::collective
