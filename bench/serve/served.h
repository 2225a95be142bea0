// Served: a server in a process of its own, over an empty folder, gone with this.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace koi::bench {

class Served {
 public:
  Served(const char* program, const char* rules, const std::filesystem::path& folder,
         const std::vector<std::string>& more) {
    std::filesystem::remove_all(folder);
    std::vector<std::string> words{"koi",           "serve",    rules,        "--data",
                                   folder.string(), "--listen", "127.0.0.1:0"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int out[2];
    if (::pipe(out) != 0) std::exit(2);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(out[1], STDOUT_FILENO);
      ::close(out[0]);
      ::execv(program, arguments.data());
      std::_Exit(127);
    }
    ::close(out[1]);
    out_ = ::fdopen(out[0], "r");
    char line[256];
    if (!std::fgets(line, sizeof line, out_)) std::exit(2);
    const std::size_t host = std::string_view(line).find("127.0.0.1:");
    port = static_cast<std::uint16_t>(std::atoi(line + host + 10));
  }
  Served(const Served&) = delete;
  ~Served() {
    ::kill(child_, SIGTERM);
    ::waitpid(child_, nullptr, 0);
    std::fclose(out_);
  }
  std::uint16_t port = 0;

 private:
  pid_t child_ = 0;
  FILE* out_ = nullptr;
};

}  // namespace koi::bench
