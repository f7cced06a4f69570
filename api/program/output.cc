#include "api/program/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace emend::api::program {

OutputStream::Buffer::Buffer(int descriptor) : descriptor_(descriptor) {
  setp(bytes_.data(), bytes_.data() + bytes_.size());
}

OutputStream::Buffer::int_type OutputStream::Buffer::overflow(int_type character) {
  if (sync() != 0) return traits_type::eof();
  if (!traits_type::eq_int_type(character, traits_type::eof()))
    sputc(traits_type::to_char_type(character));
  return traits_type::not_eof(character);
}

int OutputStream::Buffer::sync() {
  const char* next = pbase();
  while (error_ == 0 && next != pptr()) {
    const ssize_t written = ::write(descriptor_, next, static_cast<std::size_t>(pptr() - next));
    if (written >= 0) {
      next += written;
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  setp(bytes_.data(), bytes_.data() + bytes_.size());
  return error_ == 0 ? 0 : -1;
}

Status OutputStream::Finish(const std::string& name) {
  flush();
  if (buffer_.error() == 0) return OkStatus();
  return {StatusCode::kInternal, "output_not_written",
          "writing " + name + ": " + std::strerror(buffer_.error())};
}

}  // namespace emend::api::program
