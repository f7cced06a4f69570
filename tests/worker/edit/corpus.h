// Which lines of a corpus the key statistics are taken over. No libtorch here.
//
//   std::vector<std::string> lines = SelectCorpusLines(text, /*lines_max=*/2000);
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace emend::worker::edit {

// The first `lines_max` (0: all) lines of `text` that, without white space at both ends, are longer
// than 80 characters (Unicode code points), and that do not start with "<"; each without that white
// space. Lines end as in Python's text files: at "\n", "\r\n" or "\r".
std::vector<std::string> SelectCorpusLines(std::string_view text, std::size_t lines_max);

}  // namespace emend::worker::edit
