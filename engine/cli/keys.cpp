#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "cli/bundle.h"
#include "cli/command.h"
#include "deploy/files.h"
#include "deploy/keys.h"

namespace koi::cli {

namespace {

struct KeysOptions {
  std::string make, show, name, sign, key;
};

// The line that goes into a key ring.
int show(const std::string& file, const std::string& name) {
  const auto pem = read_text(file);
  if (!pem) return trouble(pem.error().what);
  const auto key = deploy::public_key_of(*pem);
  if (!key) return trouble("`" + file + "`: " + key.error().what);
  const std::string owner = name.empty() ? std::filesystem::path(file).stem().string() : name;
  if (owner.find_first_of(" \t\r\n#") != std::string::npos || owner.empty())
    return trouble("`" + owner + "` is no name for a key; take one word with --name");
  return print(deploy::line_of(*key, owner));
}

// Never over a key that is there: what it has signed could not be signed again.
int make(const std::string& file, const std::string& name) {
  const auto pem = deploy::make_private_key();
  if (!pem) return trouble(pem.error().what);
  const int made = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made < 0) return trouble("`" + file + "` cannot be made: " + std::strerror(errno));
  const bool written =
      ::write(made, pem->data(), pem->size()) == std::ssize(*pem) && ::fsync(made) == 0;
  const int fault = errno;
  if (::close(made) != 0 || !written) {
    ::unlink(file.c_str());
    return trouble("`" + file + "` cannot be written: " + std::strerror(fault));
  }
  return show(file, name);
}

// One more signature on what is built: who approves it need not be who built it.
int sign(const std::string& file, const std::string& with) {
  const auto key = read_text(with);
  if (!key) return trouble(key.error().what);
  auto package = read_package(file);
  if (!package) return trouble(package.error().what);
  auto made = deploy::sign(*package, *key);
  if (made) made = deploy::write_whole(std::filesystem::absolute(file), deploy::encode(*package));
  if (!made) return trouble(made.error().what);
  return print(file + ": signed, " + std::to_string(package->signatures.size()) +
               (package->signatures.size() == 1 ? " signature\n" : " signatures\n") + "content " +
               deploy::content_hash(*package) + "\n");
}

}  // namespace

std::function<int()> add_keys(CLI::App& app) {
  auto options = std::make_shared<KeysOptions>();
  app.require_subcommand(1);
  CLI::App* const making = app.add_subcommand(
      "make", "Writes a new private key into a file, and says its line for a key ring");
  making->add_option("file", options->make, "Where to; it must not be there yet")->required();
  making->add_option("--name", options->name, "Whose it is; else the file's name");
  CLI::App* const showing =
      app.add_subcommand("show", "Says a private key's line for a key ring: that is no secret");
  showing->add_option("file", options->show, "The private key")->required();
  showing->add_option("--name", options->name, "Whose it is; else the file's name");
  CLI::App* const signing = app.add_subcommand("sign", "Signs a bundle that is built already");
  signing->add_option("bundle", options->sign, "The bundle (.koib)")->required();
  signing->add_option("--key", options->key, "The private key")->required();
  return [options] {
    if (!options->sign.empty()) return sign(options->sign, options->key);
    return options->make.empty() ? show(options->show, options->name)
                                 : make(options->make, options->name);
  };
}

}  // namespace koi::cli
