// A handler's way to what is recorded. It blocks, so it runs on the pool. Inside this folder only.
//
//   EMEND_CO_ASSIGN_OR_RETURN(auto tokens, co_await OnStore(context, [](Journal& journal) {
//       return ListTokens(journal.store()); }));
//   EMEND_CO_ASSIGN_OR_RETURN(auto refs, co_await InRepo(context, request.repo(),
//       [](const Repository& repo) { return repo.ListRefs(); }));
//
// Both return what the function does, a Result or a Status.
#pragma once

#include <type_traits>
#include <utility>

#include "api/rest/handler.h"
#include "storage/history/repository.h"

namespace emend::api::rest {

using storage::history::Repository;
using storage::records::Journal;

// The functions only borrow: g++ 12 destroys a closure that owns twice (storage/base/runtime.h).
template <typename Use>
Awaitable<std::invoke_result_t<Use&, Journal&>> OnStore(HandlerContext* context, Use use) {
  static_assert(std::is_trivially_destructible_v<Use>);
  co_return co_await Blocking(*context->runtime, [&] { return use(context->service->journal()); });
}

// kNotFound if there is no such repo.
template <typename Use>
Awaitable<std::invoke_result_t<Use&, const Repository&>> InRepo(HandlerContext* context,
                                                                RepoName name, Use use) {
  static_assert(std::is_trivially_destructible_v<Use>);
  co_return co_await OnStore(
      context, [&](Journal& journal) -> std::invoke_result_t<Use&, const Repository&> {
        EMEND_ASSIGN_OR_RETURN(const Repository repo, Repository::Open(journal.store(), name));
        return use(repo);
      });
}

}  // namespace emend::api::rest
