// A store's tokens: the first one, whose secret lies in the store's folder, and those made of it.
//
//   EMEND_ASSIGN_OR_RETURN(const NewToken made, CreateToken(journal, random, caller,
//       {.principal = "ci", .scopes = {"ask", "read"}}));
//   Say(made.secret);  // now or never: only its hash is stored
//
// Blocks. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "coordinator/answers/answer_service.h"
#include "coordinator/core/store_layout.h"
#include "storage/base/file_system.h"
#include "storage/base/random.h"
#include "storage/records/journal.h"
#include "storage/records/operations.h"

namespace emend::coordinator::store {

// "emend_" and 48 hex digits.
std::string NewSecret(Random& random);

struct NewToken {
  storage::records::TokenRecord record;
  std::string secret;
};
struct TokenRequest {
  std::string principal;  // who will be named in commits and in the audit
  std::vector<std::string> scopes;
};
// kInvalidArgument: a principal that is no name (1 to 64 of a-z 0-9 . _ @ -) or is emend's own, no
// scope, an unknown one, or one twice; kPermissionDenied without the scope admin, and
// ("scope_exceeded") for a scope that the caller does not have.
Result<NewToken> CreateToken(storage::records::Journal& journal, Random& random,
                             const answers::Caller& caller, const TokenRequest& request);
// Of scope admin. It lets nobody in from then on. kNotFound; kFailedPrecondition
// ("last_admin_token") if nobody could make tokens any more.
Status RevokeToken(storage::records::Journal& journal, const answers::Caller& caller,
                   const std::string& id);

// Who comes with this secret; kUnauthenticated if no token has it.
Result<answers::Caller> Authenticate(storage::kv::KvStore& store, std::string_view secret);

// A store without tokens gets its first one, of all scopes; the secret is written to
// <folder>/token, mode 0600, before the store knows it.
Status EnsureAdminToken(storage::records::Journal& journal, storage::kv::KvStore& store,
                        FileSystem& files, Random& random, const core::StoreLayout& layout);
// Whether the secret in <folder>/token is that of a first token.
Result<bool> AdminTokenWorks(storage::kv::KvStore& store, FileSystem& files,
                             const core::StoreLayout& layout);
// A new first token in <folder>/token; those before it let nobody in any more.
Result<storage::records::TokenRecord> RenewAdminToken(storage::records::Journal& journal,
                                                      FileSystem& files, Random& random,
                                                      const core::StoreLayout& layout);

}  // namespace emend::coordinator::store
