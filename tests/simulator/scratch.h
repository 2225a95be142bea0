// Scratch: a folder of its own, gone with it. In memory where that is to be had: simulated
// deployments write nothing there but a lock.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/assert.h"

namespace koi::simulator {

class Scratch {
 public:
  Scratch() {
    namespace fs = std::filesystem;
    const fs::path memory = "/dev/shm";
    std::string name =
        ((fs::is_directory(memory) ? memory : fs::temp_directory_path()) / "koi-sim-XXXXXX")
            .string();
    KOI_ASSERT(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path of(unsigned number) const {
    const auto folder = path_ / std::to_string(number);
    std::filesystem::create_directory(folder);
    return folder;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace koi::simulator
