// draws: the commitment that is published before the first draw, the key that is shown afterwards,
// and every draw of a run made again from them.
#include <CLI/CLI.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "channel/delivery_json.h"
#include "cli/command.h"
#include "cli/program.h"
#include "compile/compile.h"
#include "core/accounts.h"
#include "ledger/draw.h"

namespace koi::cli {

namespace {

struct DrawsOptions {
  std::vector<std::string> paths;
  std::string effects, key, language;
  std::uint64_t seed = 1;
  bool reveal = false;
};

// The draws of a program, made again one after the other as they stand in the effects.
class Auditor {
 public:
  Auditor(const plan::Plan& plan, ledger::Key key) : plan_(plan), key_(key) {}

  // One line of effects. Error "line": it is none; "differs": it should have been another prize.
  Result<void> read(const std::string& line) {
    const auto effect = nlohmann::json::parse(line, nullptr, false);
    if (!effect.is_object()) return Error{"line", "it is no effect of `koi run`"};
    const auto text = [&](const char* name) {
      const auto place = effect.find(name);
      return place != effect.end() && place->is_string() ? place->get<std::string>()
                                                         : std::string();
    };
    // A prize that is refused in its turn stands right behind its draw, and is in the hat again.
    if (last_ && text("action") == "refuse" && text("of") == "give" &&
        text("customer") == last_->customer && text("name") == last_->prize)
      --*last_->given;
    last_.reset();
    if (text("action") != "give") return {};
    const plan::PrizeDraw* draw = find(text("name"));
    if (draw == nullptr) return {};
    if (!channel::key_from_hex(text("key"))) return Error{"line", "it has no `key`"};
    std::vector<std::int64_t>& given = given_[text("name")];
    given.resize(draw->prizes.size());
    std::vector<std::uint64_t> weights;
    for (std::size_t i = 0; i < given.size(); ++i)
      weights.push_back(given[i] < draw->prizes[i].stock ? draw->prizes[i].weight : 0);
    ledger::Chance chance(key_, text("key"));
    const auto drawn = ledger::draw(weights, chance);
    const std::string prize = drawn ? draw->prizes[*drawn].name : "nothing";
    if (!drawn || prize != text("prize"))
      return Error{"differs", text("customer") + " was given `" + text("prize") + "`, and `" +
                                  text("name") + "` makes it `" + prize + "`"};
    ++given[*drawn];
    ++draws_;
    last_ = Drawn{text("customer"), prize, &given[*drawn]};
    return {};
  }

  std::uint64_t draws() const { return draws_; }

 private:
  const plan::PrizeDraw* find(const std::string& name) const {
    for (const plan::Incentive& each : plan_.incentives)
      if (each.symbol.name == name) return std::get_if<plan::PrizeDraw>(&each.what);
    return nullptr;
  }

  const plan::Plan& plan_;
  ledger::Key key_;
  std::map<std::string, std::vector<std::int64_t>> given_;  // by draw, then prize
  std::uint64_t draws_ = 0;
  // The draw on the line before.
  struct Drawn {
    std::string customer, prize;
    std::int64_t* given = nullptr;
  };
  std::optional<Drawn> last_;
};

int draws(const DrawsOptions& options) {
  const Language language = language_of(options.language);
  const auto program = load_program(options.paths, language);
  if (!program) return trouble(program.error().what);
  if (program->errors > 0) return print(render(*program, language, false), Findings);
  const plan::Plan plan = compile::compile(program->program, options.seed);
  ledger::Key key = core::Accounts(plan).secret("draws");
  if (!options.key.empty()) {
    const auto shown = channel::key_from_hex(options.key);
    if (!shown) return trouble("--key takes the 32 hexadecimal digits that --reveal has shown");
    key = {shown->high, shown->low};
  }
  std::string out = "commitment " + ledger::commitment(key) + "\n";
  if (options.reveal) out += "key " + to_hex({key.first, key.second}) + "\n";
  if (options.effects.empty()) return print(out);

  std::ifstream in(options.effects, std::ios::binary);
  if (!in) return trouble("cannot read " + options.effects);
  Auditor auditor(plan, key);
  std::uint64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const auto read = auditor.read(line);
    if (read) continue;
    const std::string where = options.effects + ":" + std::to_string(number) + ": ";
    if (read.error().code != "differs") return trouble(where + read.error().what);
    return print(out + where + read.error().what + "\n", Findings);
  }
  if (in.bad()) return trouble("cannot read " + options.effects);
  return print(out + std::to_string(auditor.draws()) +
               " draws were made again, each with the same prize\n");
}

}  // namespace

std::function<int()> add_draws(CLI::App& app) {
  auto options = std::make_shared<DrawsOptions>();
  app.add_option("paths", options->paths, "Files of .koi, or folders of them")->required();
  app.add_option("--seed", options->seed, "The seed that the program was run with")
      ->capture_default_str();
  app.add_flag("--reveal", options->reveal,
               "Shows the key behind the commitment: when there will be no more draws");
  app.add_option("--effects", options->effects,
                 "What `koi run` decided: every draw in it is made again");
  app.add_option("--key", options->key, "The key that was shown, for those who know no seed");
  add_language(app, options->language);
  return [options] { return draws(*options); };
}

}  // namespace koi::cli
