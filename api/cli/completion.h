// Scripts with which a shell completes verbs, options, choices and files, from the table of verbs.
// Pure functions. Inside this folder only.
#pragma once

#include <string>
#include <string_view>

namespace emend::api::cli {

// "bash", "zsh" or "fish"; "" for another.
std::string RenderCompletion(std::string_view shell);

}  // namespace emend::api::cli
