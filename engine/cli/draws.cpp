// draws: the commitment that is published before the first draw, the key that is shown afterwards,
// and every draw of a run, or of a server's data directory, made again from them.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
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
#include "serve/audit_draws.h"

namespace koi::cli {

namespace {

struct DrawsOptions {
  std::vector<std::string> paths;
  std::string effects, data, key, language, seed = "1";
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
    for (const plan::PrizeDraw::Prize& each : draw->prizes) weights.push_back(each.weight);
    ledger::Chance chance(key_, text("key"));
    const auto is_left = [&](std::size_t i) { return given[i] < draw->prizes[i].stock; };
    const std::optional<std::size_t> drawn = ledger::draw(weights, is_left, chance).prize;
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

// A number as `koi run` takes it, or the sixteen hexadecimal digits of a deployment.json, with 0x
// before them or not. Nothing where it is neither, or may be both.
std::optional<std::uint64_t> seed_of(std::string_view text) {
  const auto read = [](std::string_view digits, int base) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [rest, fault] = std::from_chars(digits.data(), end, value, base);
    if (fault != std::errc() || rest != end) return {};
    return value;
  };
  constexpr std::size_t digits_in_deployment = 16;
  if (text.starts_with("0x") || text.starts_with("0X")) return read(text.substr(2), 16);
  const bool is_number =
      std::all_of(text.begin(), text.end(), [](char each) { return each >= '0' && each <= '9'; });
  if (text.size() != digits_in_deployment) return read(text, 10);
  return is_number ? std::nullopt : read(text, 16);
}

// What the options say, before anything is read.
std::string fault_of(const DrawsOptions& options) {
  if (options.paths.empty() && options.data.empty())
    return "draws of what? Name the rules, or a server's data folder with --data";
  if (!options.data.empty() && !options.effects.empty())
    return "--data has its own draws, --effects those of a run: give one of them";
  return {};
}

int draws_of_server(const DrawsOptions& options, const plan::Plan* published,
                    std::optional<ledger::Key> shown) {
  serve::DrawsQuestion question;
  question.key = shown;
  question.published = published;
  const auto audit = serve::audit_draws(options.data, question);
  if (!audit && audit.error().code == "locked")
    return trouble(audit.error().what + ". Of a server that runs, audit a restored backup");
  if (!audit) return trouble(audit.error().what);
  std::string out = "commitment " + ledger::commitment(audit->key) + "\n";
  if (options.reveal) out += "key " + to_hex({audit->key.first, audit->key.second}) + "\n";
  return print(out + serve::told(*audit), audit->findings.empty() ? Done : Findings);
}

int draws_of_run(const DrawsOptions& options, const plan::Plan& plan, ledger::Key key) {
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

int draws(const DrawsOptions& options) {
  const Language language = language_of(options.language);
  if (const std::string fault = fault_of(options); !fault.empty()) return trouble(fault);
  const auto seed = seed_of(options.seed);
  if (!seed)
    return trouble("--seed takes a number, or the hexadecimal digits of a deployment.json; `" +
                   options.seed +
                   "` is neither, or may be both: put 0x before digits of the one, "
                   "0 before a number");
  std::optional<ledger::Key> shown;
  if (!options.key.empty()) {
    const auto digits = channel::key_from_hex(options.key);
    if (!digits) return trouble("--key takes the 32 hexadecimal digits that --reveal has shown");
    shown = {digits->high, digits->low};
  }
  if (options.paths.empty()) return draws_of_server(options, nullptr, shown);
  const auto program = load_program(options.paths, language);
  if (!program) return trouble(program.error().what);
  if (program->errors > 0) return print(render(*program, language, false), Findings);
  const plan::Plan plan = compile::compile(program->program, *seed);
  if (!options.data.empty()) return draws_of_server(options, &plan, shown);
  return draws_of_run(options, plan, shown.value_or(core::Accounts(plan).secret("draws")));
}

}  // namespace

std::function<int()> add_draws(CLI::App& app) {
  auto options = std::make_shared<DrawsOptions>();
  app.add_option("paths", options->paths,
                 "Files of .koi, or folders of them; beside --data: the rules as they were "
                 "published, to be compared");
  app.add_option("--seed", options->seed,
                 "The seed that the program was run with, or the one in a deployment.json")
      ->type_name("SEED")
      ->capture_default_str();
  app.add_flag("--reveal", options->reveal,
               "Shows the key behind the commitment: when there will be no more draws");
  app.add_option("--effects", options->effects,
                 "What `koi run` decided: every draw in it is made again");
  app.add_option("--data", options->data,
                 "The data folder of a server that does not run, or of a restored backup: every "
                 "draw since its journal began is made again, and compared with what was told");
  app.add_option("--key", options->key, "The key that was shown, for those who know no seed");
  add_language(app, options->language);
  return [options] { return draws(*options); };
}

}  // namespace koi::cli
