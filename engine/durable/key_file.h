// Key file: for tests of kills, here and in the modules above, the world outside: a file that keeps
// the key of each effect that ever left. keys_in() (base/victim.h) reads it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "durable/deeds.h"

namespace koi::durable {

class KeyFile final : public Deeds {
 public:
  explicit KeyFile(const std::filesystem::path& path)
      : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  KeyFile(const KeyFile&) = delete;
  ~KeyFile() override { ::close(file_); }

  void take(store::Group, std::vector<Deed> deeds) override {
    std::vector<Hash128> keys;
    for (const Deed& deed : deeds) keys.push_back(deed.effect.key);
    const auto size = static_cast<ssize_t>(keys.size() * sizeof(Hash128));
    KOI_ASSERT(::write(file_, keys.data(), keys.size() * sizeof(Hash128)) == size);
  }
  // What has left has left.
  std::string freeze(store::Group) override { return "nothing is open"; }
  Result<void> thaw(store::Group, std::string_view frozen) override {
    if (frozen == "nothing is open") return {};
    return Error{"corrupt", "what the deeds had frozen came back as something else"};
  }

 private:
  int file_;
};

}  // namespace koi::durable
