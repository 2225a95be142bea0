#include "program.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace koi::simulator {

namespace {

deploy::Bundle::File read(const std::string& name) {
  std::ifstream in(std::string(KOI_SIMULATOR_PROGRAMS) + "/" + name + ".koi", std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return {name + ".koi", text.str()};
}

Program compiled(const std::string& name) {
  deploy::Bundle bundle{1, {read("shop"), read(name)}};
  auto plan = deploy::compile(bundle);
  if (!plan) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), plan.error().what.c_str());
    std::exit(2);
  }
  const std::uint64_t rules = deploy::rules_of(deploy::name_of(bundle));
  return {name, std::move(bundle), *std::move(plan), rules, nullptr};
}

Program with_next(const std::string& name) {
  Program made = compiled(name);
  made.next = std::make_unique<Program>(compiled("next/" + name));
  return made;
}

}  // namespace

const std::vector<Program>& programs() {
  static const std::vector<Program> all = [] {
    std::vector<Program> made;
    for (const std::string name : {"carts", "welcome", "figures"}) made.push_back(with_next(name));
    return made;
  }();
  return all;
}

const Program& program_of_money() {
  static const Program made = with_next("money");
  return made;
}

}  // namespace koi::simulator
