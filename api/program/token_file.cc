#include "api/program/token_file.h"

#include "storage/base/file_system.h"

namespace emend::api::program {

Result<std::string> ReadToken(const std::string& token_file) {
  PosixFileSystem files;
  EMEND_ASSIGN_OR_RETURN(std::string token, files.Read(token_file));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  return token;
}

}  // namespace emend::api::program
