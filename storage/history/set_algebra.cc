#include "storage/history/set_algebra.h"

#include <algorithm>
#include <iterator>

namespace emend::storage::history {
namespace {

using Ids = std::vector<EditId>;

Ids Minus(const Ids& a, const Ids& b) {
  Ids out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Ids Union(const Ids& a, const Ids& b) {
  Ids out;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace

objects::EditSetDiff DiffOf(const Ids& from, const Ids& to) {
  return {Minus(to, from), Minus(from, to)};
}

Ids Merge(const Ids& ancestor, const Ids& a, const Ids& b) {
  const objects::EditSetDiff in_a = DiffOf(ancestor, a);
  const objects::EditSetDiff in_b = DiffOf(ancestor, b);
  return Union(Minus(ancestor, Union(in_a.removed, in_b.removed)), Union(in_a.added, in_b.added));
}

}  // namespace emend::storage::history
