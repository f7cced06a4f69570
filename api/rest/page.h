// Pages of lists. Inside this folder only; pure functions.
//
//   EMEND_CO_ASSIGN_OR_RETURN(auto tokens, co_await OnStore(context, ListAllTokens));
//   co_return PageResponse(PageAfter(request, std::move(tokens), &TokenRecord::id), RenderToken);
//
// The cursor of a page is the key of its last item, and the next one begins with what comes after
// that key: what is added or removed meanwhile lets no other item come twice or never. `key` gives
// an item's key as a text; no two items have the same.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "api/rest/message.h"
#include "api/rest/parameter.h"
#include "api/rest/render.h"

namespace emend::api::rest {

// Of the lists that PageAfter cuts.
inline constexpr Parameter kAfterKey{
    "after", In::kQuery, Text{1024, R"(^[^\x00-\x1f\x7f]+$)", "the \"next\" of an earlier page"},
    kNextDescription};

template <typename Item>
struct Page {
  std::vector<Item> items;
  Json next;  // cursor, or null
};

// Of a list that was read up to one item more than a page holds.
template <typename Item, typename Key>
Page<Item> CutPage(std::vector<Item> items, std::size_t limit, Key key) {
  Json next;
  if (items.size() > limit) {
    items.resize(limit);
    next = std::invoke(key, items.back());
  }
  return {std::move(items), std::move(next)};
}

// Of a list that is here whole, in any order: by its keys, with kLimit and kAfterKey of the
// request.
template <typename Item, typename Key, typename Before = std::less<>>
Page<Item> PageAfter(const Request& request, std::vector<Item> items, Key key, Before before = {}) {
  if (request.Has(std::string(kAfterKey.name))) {
    const std::string after = request.Text(std::string(kAfterKey.name));
    std::erase_if(items, [&](const Item& item) { return !before(after, std::invoke(key, item)); });
  }
  std::ranges::sort(items, before, key);
  return CutPage(std::move(items), static_cast<std::size_t>(request.Whole("limit")), key);
}

template <typename Item, typename Render>
Response PageResponse(const Page<Item>& page, Render render) {
  Json items = Json::array();
  for (const Item& item : page.items) items.push_back(render(item));
  return PageResponse(std::move(items), page.next);
}

}  // namespace emend::api::rest
