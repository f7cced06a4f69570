// One value of every record, with every field set: what the golden files hold.
#pragma once

#include <algorithm>
#include <string>

#include "storage/objects/edit.h"

namespace emend::storage::objects::test {

template <typename Id>
Id IdNamed(const std::string& name) {
  return Id(Sha256(name));
}

inline Fact SampleFact() {
  Fact fact;
  fact.id = "counterfact/93";
  fact.prompt = "The mother tongue of {} is";
  fact.subject = "Danielle Darrieux";
  fact.target = "English";
  fact.old_target = "French";
  fact.relation = "P103";
  fact.language = "en";
  fact.paraphrases = {"Danielle Darrieux, a native", "Danielle Darrieux spoke the language"};
  fact.neighbours = {{"The native language of Montesquieu is"},
                     {"The native language of Nelson Piquet is", "Portuguese"}};
  fact.portability = {"The alphabet that Danielle Darrieux learned to write in is"};
  fact.lookup = Lookup::kSpan;
  fact.kind = FactKind::kInsert;
  fact.join = text::Join::kNone;
  return fact;
}

inline Edit SampleEdit() {
  Fact bare;
  bare.prompt = "{} plays";
  bare.subject = "Ada";
  bare.target = "chess";
  Edit edit;
  edit.salt = "0123456789abcdef";
  edit.facts = {SampleFact(), bare};
  edit.solved_on = IdNamed<StateId>("solved on");
  edit.method = "memit";
  edit.delta_digest = Sha256("delta");
  edit.keys_digest = Sha256("keys");
  edit.target_digest = Sha256("target");
  edit.delta_object = IdNamed<ObjectId>("stored delta");
  edit.keys_object = IdNamed<ObjectId>("stored keys");
  edit.target_object = IdNamed<ObjectId>("stored target");
  return edit;
}

inline Base SampleBase() {
  Base base;
  base.tensors["transformer.h.0.mlp.c_proj.weight"] = {
      delta::DType::kBF16, {3072, 768}, Sha256("first tensor")};
  base.tensors["transformer.ln_f.bias"] = {delta::DType::kF32, {768}, Sha256("second tensor")};
  base.files = {{"config.json", Sha256("config")},
                {"model.safetensors", Sha256("weights")},
                {"tokenizer.json", Sha256("tokenizer")}};
  return base;
}

inline State SampleState() { return {IdOf(SampleBase()), IdNamed<ObjectId>("trie root")}; }

inline Manifest SampleManifest() {
  return {IdOf(SampleState()),
          {{"transformer.h.0.mlp.c_proj.weight", Sha256("served")},
           {"transformer.h.1.mlp.c_proj.weight", Sha256("served too")}}};
}

inline Commit SampleCommit() {
  Commit commit;
  commit.kind = CommitKind::kMerge;
  commit.parents = {IdNamed<CommitId>("first parent"), IdNamed<CommitId>("second parent")};
  commit.base = IdOf(SampleBase());
  commit.state = IdOf(SampleState());
  commit.author = "ada";
  commit.token_id = "tk-1";
  commit.time_ms = 1767225600123;
  commit.message = "Teach a hundred facts\n\nFrom the review of May.";
  commit.added = {IdNamed<EditId>("a"), IdNamed<EditId>("b")};
  std::sort(commit.added.begin(), commit.added.end());
  commit.removed = {IdNamed<EditId>("c")};
  commit.settings = R"({"v_lr":0.5})";
  commit.seed = 0x0123456789abcdefULL;
  commit.statistics = "st-1";
  commit.before = Evaluation{100, 1.5, 2, 98.25, 3, 0, 1, 97};
  commit.after = Evaluation{100, 93, 84, 85.1, 87.2, 92, 80.5, 84.75};
  commit.evidence = R"({"kept":99.5})";
  return commit;
}

}  // namespace emend::storage::objects::test
