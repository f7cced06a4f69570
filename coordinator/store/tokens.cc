#include "coordinator/store/tokens.h"

#include <algorithm>
#include <array>

#include "coordinator/store/scope.h"

namespace emend::coordinator::store {
namespace {

using storage::records::Journal;
using storage::records::Principal;
using storage::records::TokenRecord;
using storage::records::Transaction;

constexpr char kAdmin[] = "admin";  // the first token's principal
constexpr std::array<const char*, 3> kOwnPrincipals = {kAdmin, "emendd", "emend repair"};
constexpr std::array<const char*, 7> kScopes = {"ask",   "read",   "propose", "review",
                                                "merge", "deploy", "admin"};
constexpr std::size_t kSecretBytes = 24;
constexpr std::size_t kIdDigits = 12;
constexpr std::size_t kPrincipalMax = 64;

bool Has(const std::vector<std::string>& scopes, std::string_view scope) {
  return std::ranges::find(scopes, scope) != scopes.end();
}

std::string Listed(const auto& words) {
  std::string text;
  for (const auto& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

Status CheckPrincipal(const std::string& principal) {
  const bool is_name =
      !principal.empty() && principal.size() <= kPrincipalMax &&
      principal.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._@-") == std::string::npos;
  if (!is_name) {
    return InvalidArgument("making a token: found a principal that is no name, expected 1 to " +
                           std::to_string(kPrincipalMax) +
                           " of a-z, 0-9, \".\", \"_\", \"@\", \"-\"");
  }
  if (std::ranges::find(kOwnPrincipals, principal) == kOwnPrincipals.end()) return OkStatus();
  return InvalidArgument("making a token: the principal \"" + principal +
                         "\" is emend's own; choose another name");
}

Status CheckScopes(const answers::Caller& caller, const std::vector<std::string>& scopes) {
  if (scopes.empty())
    return InvalidArgument("making a token: it has no scope, expected some of " + Listed(kScopes));
  for (const std::string& scope : scopes) {
    if (std::ranges::find(kScopes, scope) == kScopes.end())
      return InvalidArgument("making a token: there is no such scope, expected some of " +
                             Listed(kScopes));
    if (std::ranges::count(scopes, scope) > 1)
      return InvalidArgument("making a token: the scope \"" + scope + "\" is named twice");
    if (!Has(caller.scopes, scope)) {
      return {StatusCode::kPermissionDenied, "scope_exceeded",
              "making a token: the token of " + caller.principal.name + " has not the scope \"" +
                  scope + "\" itself, and cannot give it"};
    }
  }
  return OkStatus();
}

NewToken MakeToken(Random& random, std::string principal, std::vector<std::string> scopes) {
  NewToken made;
  made.secret = NewSecret(random);
  made.record.secret_hash = Sha256(made.secret);
  made.record.id = "t-" + made.record.secret_hash.Hex().substr(0, kIdDigits);
  made.record.principal = std::move(principal);
  made.record.scopes = std::move(scopes);
  return made;
}

void Put(Transaction& transaction, TokenRecord& token) {
  token.created_ms = transaction.time_ms();
  PutToken(transaction, token);
  transaction.Audit({"token.create", {{"token", token.id}, {"principal", token.principal}}});
}

void Revoke(Transaction& transaction, const TokenRecord& token) {
  RemoveToken(transaction, token);
  transaction.Audit({"token.revoke", {{"token", token.id}, {"principal", token.principal}}});
}

// The secret lies in the folder before the store knows it: a store that nobody can open would be
// worse than a secret that opens nothing.
Result<NewToken> WriteFirst(FileSystem& files, Random& random, const core::StoreLayout& layout) {
  NewToken made = MakeToken(random, kAdmin, {kScopes.begin(), kScopes.end()});
  EMEND_RETURN_IF_ERROR(
      files.WriteAtomically(layout.admin_token_file(), made.secret + "\n", kPrivateMode));
  return made;
}

}  // namespace

std::string NewSecret(Random& random) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string secret = "emend_";
  for (const char c : random.Bytes(kSecretBytes))
    secret.append(1, kHex[static_cast<unsigned char>(c) >> 4]).append(1, kHex[c & 15]);
  return secret;
}

Result<NewToken> CreateToken(Journal& journal, Random& random, const answers::Caller& caller,
                             const TokenRequest& request) {
  EMEND_RETURN_IF_ERROR(CheckScope(caller, "admin"));
  EMEND_RETURN_IF_ERROR(CheckPrincipal(request.principal));
  EMEND_RETURN_IF_ERROR(CheckScopes(caller, request.scopes));
  NewToken made = MakeToken(random, request.principal, request.scopes);
  const auto build = [&](Transaction& transaction) {
    Put(transaction, made.record);
    return OkStatus();
  };
  EMEND_RETURN_IF_ERROR(journal.Commit(caller.principal, build).status());
  return made;
}

Status RevokeToken(Journal& journal, const answers::Caller& caller, const std::string& id) {
  EMEND_RETURN_IF_ERROR(CheckScope(caller, "admin"));
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const auto tokens, storage::records::ListTokens(transaction.store()));
    const auto token = std::ranges::find(tokens, id, &TokenRecord::id);
    if (token == tokens.end())
      return NotFound("revoking a token: there is none with this id; list them");
    const bool others = std::ranges::any_of(tokens, [&](const TokenRecord& other) {
      return other.id != id && Has(other.scopes, kAdmin);
    });
    if (!others && Has(token->scopes, kAdmin)) {
      return {StatusCode::kFailedPrecondition, "last_admin_token",
              "revoking token " + id +
                  ": it is the last one of scope admin, and nobody could make tokens any more; "
                  "make another first"};
    }
    Revoke(transaction, *token);
    return OkStatus();
  };
  return journal.Commit(caller.principal, build).status();
}

Result<answers::Caller> Authenticate(storage::kv::KvStore& store, std::string_view secret) {
  EMEND_ASSIGN_OR_RETURN(const auto token, storage::records::FindToken(store, secret));
  if (!token)
    return Status(StatusCode::kUnauthenticated,
                  "no token has this secret: pass the one in the store's token file, or ask an "
                  "administrator for one; whoever has the store's folder makes a new one with "
                  "emendd down, `emend token new`");
  return answers::Caller{{token->principal, token->id}, token->scopes};
}

Status EnsureAdminToken(Journal& journal, storage::kv::KvStore& store, FileSystem& files,
                        Random& random, const core::StoreLayout& layout) {
  EMEND_ASSIGN_OR_RETURN(const auto tokens, storage::records::ListTokens(store));
  if (!tokens.empty()) return OkStatus();
  return RenewAdminToken(journal, files, random, layout).status();
}

Result<bool> AdminTokenWorks(storage::kv::KvStore& store, FileSystem& files,
                             const core::StoreLayout& layout) {
  Result<std::string> secret = files.Read(layout.admin_token_file());
  if (secret.status().code() == StatusCode::kNotFound) return false;
  EMEND_RETURN_IF_ERROR(secret.status());
  while (!secret->empty() && secret->back() == '\n') secret->pop_back();
  EMEND_ASSIGN_OR_RETURN(const auto token, storage::records::FindToken(store, *secret));
  return token && token->principal == kAdmin;
}

Result<TokenRecord> RenewAdminToken(Journal& journal, FileSystem& files, Random& random,
                                    const core::StoreLayout& layout) {
  EMEND_ASSIGN_OR_RETURN(NewToken made, WriteFirst(files, random, layout));
  const auto build = [&](Transaction& transaction) -> Status {
    EMEND_ASSIGN_OR_RETURN(const auto tokens, storage::records::ListTokens(transaction.store()));
    for (const TokenRecord& token : tokens) {
      if (token.principal == kAdmin) Revoke(transaction, token);
    }
    Put(transaction, made.record);
    return OkStatus();
  };
  EMEND_RETURN_IF_ERROR(journal.Commit({"emendd", ""}, build).status());
  return made.record;
}

}  // namespace emend::coordinator::store
