// How messages follow one another on the wire: a header with a length, an empty line, the message.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace koi::lsp {

constexpr std::size_t longest_message = 64u << 20;
constexpr std::size_t longest_header = 8u << 10;

// Takes bytes as they come, cut anywhere; any bytes are accepted, and no more is kept than one
// message and its header.
class Frames {
 public:
  void feed(std::string_view bytes) { bytes_.append(bytes); }

  struct Frame {
    std::string message;
    std::string fault;  // why there is none: a bad header, or one that is too long
  };
  // The next one; nothing while it has not come whole. What follows a fault is read again from the
  // next header on; a message that is too long is passed over.
  std::optional<Frame> next();

 private:
  std::string bytes_;
  std::size_t pass_over_ = 0;
};

std::string framed(std::string_view message);

}  // namespace koi::lsp
