// Standard output of a program that must know whether what it printed was written: a full disk or a
// closed pipe is a failure of the command, not something that nobody sees.
//
//   OutputStream out(STDOUT_FILENO);
//   out << document << '\n';
//   EMEND_RETURN_IF_ERROR(out.Finish("standard output"));
//
// Not thread-safe.
#pragma once

#include <array>
#include <ostream>
#include <streambuf>
#include <string>

#include "storage/base/status.h"

namespace emend::api::program {

class OutputStream : public std::ostream {
 public:
  // The descriptor stays the caller's.
  explicit OutputStream(int descriptor) : std::ostream(&buffer_), buffer_(descriptor) {}
  // Writes what is left. kInternal ("output_not_written") if any of it could not be written,
  // whenever that was; `name` is for the message.
  Status Finish(const std::string& name);

 private:
  class Buffer : public std::streambuf {
   public:
    explicit Buffer(int descriptor);
    int error() const { return error_; }

   protected:
    int_type overflow(int_type character) override;
    int sync() override;

   private:
    const int descriptor_;
    int error_ = 0;  // of the first write that failed; nothing is written after it
    std::array<char, 8192> bytes_;
  };

  Buffer buffer_;
};

}  // namespace emend::api::program
