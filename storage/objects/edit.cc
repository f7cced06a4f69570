#include "storage/objects/edit.h"

#include "storage/base/encoding.h"
#include "storage/objects/canonical.h"
#include "storage/objects/fact_encoding.h"

namespace emend::storage::objects {
namespace {

constexpr std::uint16_t kBaseVersion = 1;
constexpr std::uint16_t kEditVersion = 1;
constexpr std::uint16_t kStateVersion = 1;
constexpr std::uint16_t kManifestVersion = 1;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kNamedDigestBytesMin = sizeof(std::uint32_t) + Digest::kSize;

void EncodeDigests(Encoder& out, const std::map<std::string, Digest>& digests) {
  out.Count(digests.size());
  for (const auto& [name, digest] : digests) {
    out.Text(name);
    out.Raw(digest.Raw());
  }
}

std::map<std::string, Digest> DecodeDigests(Decoder& in) {
  std::map<std::string, Digest> digests;
  const std::size_t count = in.Count(kNamedDigestBytesMin);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    std::string name = in.Text();
    digests[std::move(name)] = in.ReadId<Digest>();
  }
  return digests;
}

void EncodeTensor(Encoder& out, const BaseTensor& tensor) {
  out.U8(static_cast<std::uint8_t>(tensor.dtype));
  out.Count(tensor.shape.size());
  for (const std::uint64_t size : tensor.shape) out.U64(size);
  out.Raw(tensor.root.Raw());
}

BaseTensor DecodeTensor(Decoder& in) {
  constexpr auto kLast = static_cast<std::uint8_t>(delta::DType::kU64);
  BaseTensor tensor;
  const std::uint8_t dtype = in.U8();
  if (dtype == 0 || dtype > kLast)
    in.Fail("found " + std::to_string(dtype) + " for a tensor's element type, expected 1 to " +
            std::to_string(kLast));
  tensor.dtype = static_cast<delta::DType>(dtype);
  tensor.shape.resize(in.Count(sizeof(std::uint64_t)));
  for (std::uint64_t& size : tensor.shape) size = in.U64();
  tensor.root = in.ReadId<Digest>();
  return tensor;
}

// What the edit says and does, without where its payloads lie.
std::string EncodePlaintext(const Edit& edit) {
  Encoder out(RecordType::kEdit, kEditVersion);
  out.Count(edit.facts.size());
  for (const Fact& fact : edit.facts) EncodeFact(out, fact);
  out.Id(edit.solved_on);
  out.Text(edit.method);
  out.Raw(edit.delta_digest.Raw());
  out.Raw(edit.keys_digest.Raw());
  return std::move(out).bytes();
}

}  // namespace

std::string EncodeBase(const Base& base) {
  Encoder out(RecordType::kBase, kBaseVersion);
  out.U32(static_cast<std::uint32_t>(base.grid_exponent));
  out.U16(base.codec_version);
  out.U16(base.rounding_version);
  out.Count(base.tensors.size());
  for (const auto& [name, tensor] : base.tensors) {
    out.Text(name);
    EncodeTensor(out, tensor);
  }
  EncodeDigests(out, base.files);
  return std::move(out).bytes();
}

Result<Base> DecodeBase(std::string_view stored) {
  constexpr std::size_t kTensorBytesMin =
      kNamedDigestBytesMin + sizeof(std::uint8_t) + sizeof(std::uint32_t);
  Decoder in(stored);
  in.Record(RecordType::kBase, kBaseVersion);
  Base base;
  base.grid_exponent = static_cast<std::int32_t>(in.U32());
  base.codec_version = in.U16();
  base.rounding_version = in.U16();
  const std::size_t count = in.Count(kTensorBytesMin);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    std::string name = in.Text();
    base.tensors[std::move(name)] = DecodeTensor(in);
  }
  base.files = DecodeDigests(in);
  return FinishCanonical(in, std::move(base), stored, "base", EncodeBase);
}

BaseId IdOf(const Base& base) { return BaseId(Sha256(EncodeBase(base))); }

std::string EncodeEdit(const Edit& edit) {
  EMEND_CHECK(edit.salt.size() == kSaltBytes,
              "an edit's salt has " + std::to_string(edit.salt.size()) + " bytes, expected 16");
  EMEND_CHECK(!edit.facts.empty(), "an edit has no fact");
  Encoder out;
  out.Raw(EncodePlaintext(edit));
  out.Text(edit.salt);
  out.Id(edit.delta_object);
  out.Id(edit.keys_object);
  return std::move(out).bytes();
}

Result<Edit> DecodeEdit(std::string_view stored) {
  Decoder in(stored);
  in.Record(RecordType::kEdit, kEditVersion);
  Edit edit;
  const std::size_t count = in.Count(kFactBytesMin);
  for (std::size_t i = 0; i < count && in.ok(); ++i) edit.facts.push_back(DecodeFact(in));
  edit.solved_on = in.ReadId<StateId>();
  edit.method = in.Text();
  edit.delta_digest = in.ReadId<Digest>();
  edit.keys_digest = in.ReadId<Digest>();
  edit.salt = in.Text();
  edit.delta_object = in.ReadId<ObjectId>();
  edit.keys_object = in.ReadId<ObjectId>();
  if (in.ok() && edit.facts.empty()) in.Fail("found no fact, expected at least one");
  if (in.ok() && edit.salt.size() != kSaltBytes)
    in.Fail("found a salt of " + std::to_string(edit.salt.size()) + " bytes, expected 16");
  return FinishCanonical(in, std::move(edit), stored, "edit", EncodeEdit);
}

EditId IdOf(const Edit& edit) {
  Encoder out;
  out.Text(edit.salt);
  out.Raw(EncodePlaintext(edit));
  return EditId(Sha256(out.bytes()));
}

std::string EncodeState(const State& state) {
  Encoder out(RecordType::kState, kStateVersion);
  out.Id(state.base);
  out.Id(state.trie_root);
  return std::move(out).bytes();
}

Result<State> DecodeState(std::string_view stored) {
  Decoder in(stored);
  in.Record(RecordType::kState, kStateVersion);
  State state;
  state.base = in.ReadId<BaseId>();
  state.trie_root = in.ReadId<ObjectId>();
  return FinishCanonical(in, state, stored, "state", EncodeState);
}

StateId IdOf(const State& state) { return StateId(Sha256(EncodeState(state))); }

std::string EncodeManifest(const Manifest& manifest) {
  Encoder out(RecordType::kManifest, kManifestVersion);
  out.Id(manifest.state);
  EncodeDigests(out, manifest.roots);
  // a manifest lies under its state's id, which does not cover these bytes
  out.Raw(Sha256(out.bytes()).Raw());
  return std::move(out).bytes();
}

Result<Manifest> DecodeManifest(std::string_view stored) {
  Decoder in(stored);
  in.Record(RecordType::kManifest, kManifestVersion);
  Manifest manifest;
  manifest.state = in.ReadId<StateId>();
  manifest.roots = DecodeDigests(in);
  in.ReadId<Digest>();  // FinishCanonical compares it
  return FinishCanonical(in, std::move(manifest), stored, "manifest", EncodeManifest);
}

}  // namespace emend::storage::objects
