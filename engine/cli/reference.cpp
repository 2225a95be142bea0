#include "cli/reference.h"

#include <CLI/CLI.hpp>
#include <string_view>

#include "channel/limits.h"
#include "channel/settings.h"
#include "check/functions.h"
#include "cli/textmate.h"
#include "connectors/list.h"
#include "lang/keywords.h"
#include "lessons/lessons.h"
#include "model/schema.h"

namespace koi::cli {

namespace {

std::string heading(std::string_view title, std::string_view about) {
  return "# " + std::string(title) +
         "\n\n<!-- Made from the code by `./dev docs`; a test compares. Do not edit. -->\n\n" +
         std::string(about) + "\n";
}

// What would end a cell of a table, or begin a tag, stands for itself.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string code(std::string_view text) {
  return text.empty() ? std::string() : "`" + cell(text) + "`";
}

std::string row(std::initializer_list<std::string> cells) {
  std::string out = "|";
  for (const std::string& each : cells) out += each.empty() ? " |" : " " + each + " |";
  return out + "\n";
}

const lang::WordRow* builtin(std::string_view english, std::string_view kind) {
  for (const lang::WordRow& each : lang::word_table())
    if (each.what == lang::WordRow::What::Builtin && each.english == english &&
        each.meaning.starts_with(kind))
      return &each;
  return nullptr;
}

// ---------------------------------------------------------------------------------------- pages

std::string words() {
  std::string out = heading(
      "The words of the language",
      "Every keyword in both languages; they may be mixed in one file. Other accepted spellings\n"
      "stand in parentheses.");
  for (const lang::WordRow& each : lang::word_table()) {
    if (each.what == lang::WordRow::What::Group) {
      out += "\n## " + std::string(each.english) + " · " + std::string(each.chinese) +
             "\n\n| English | 中文 | |\n| --- | --- | --- |\n";
      continue;
    }
    std::string chinese = code(each.chinese);
    for (std::size_t i = 0; i < each.others.size(); ++i)
      chinese += (i == 0 ? " (" : ", ") + code(each.others[i]);
    if (!each.others.empty()) chinese += ")";
    out += row({code(each.english), chinese, cell(each.meaning)});
  }
  return out;
}

std::string diagnostics() {
  std::string out = heading("Diagnostics · 诊断",
                            "Everything that `koi check` can say, by code, with an example that is "
                            "wrong and one that is\n"
                            "right. The examples speak of a shop whose "
                            "[declarations](../../engine/lessons/examples/shop.koi)\n"
                            "are not repeated. `koi explain K0201` shows the same in a terminal.");
  for (const lessons::Lesson& each : lessons::lessons()) {
    out += "\n## " + std::string(each.code) + "\n\n```text\n" +
           lessons::explain(each, Language::English) + "```\n\n```text\n" +
           lessons::explain(each, Language::Chinese) + "```\n";
  }
  return out;
}

std::string events() {
  std::string out = heading(
      "Events that the engine makes",
      "They are there without a declaration and are used like any other event. Each has its own\n"
      "time beside its fields.");
  out += "\n| event | 中文 | happens when | fields |\n| --- | --- | --- | --- |\n";
  for (const EventType& each : engine_events()) {
    const lang::WordRow* const word = builtin(each.symbol.name, "event: ");
    std::string fields;
    for (const Field& field : each.fields) {
      if (!fields.empty()) fields += ", ";
      fields += code(field.symbol.name) + " " + code(field.symbol.alias) + " (" +
                std::string(name_of(field.type.kind)) + (field.type.optional ? "?" : "") + ")";
    }
    out += row({code(each.symbol.name), code(each.symbol.alias),
                word ? std::string(word->meaning.substr(std::string_view("event: ").size())) : "",
                fields});
  }
  return out;
}

std::string functions() {
  std::string out =
      heading("Functions and aggregates",
              "Functions are few and fixed. A missing argument gives a missing value.");
  out +=
      "\n## Functions\n\n| function | 中文 | takes | gives | |\n| --- | --- | --- | --- | --- |\n";
  for (const check::Function& each : check::functions()) {
    const lang::WordRow* const word = builtin(each.name, "function: ");
    out += row({code(each.example), word ? code(word->chinese) : "", std::string(each.takes),
                std::string(each.gives), std::string(each.means)});
  }
  out +=
      "\n## Aggregates\n\nA metric is an aggregate of an event or of one of its fields, with "
      "`where …` and a window or\n"
      "without: nothing (the lifetime), `over 30 days` (trailing), `this day|week|month|year`\n"
      "(calendar). Values are exact at every instant.\n\n"
      "| form | 中文 | gives |\n| --- | --- | --- |\n";
  for (const check::AggregateForm& each : check::aggregates()) {
    std::string_view chinese;
    for (const lang::Keyword& word : lang::keywords())
      if (word.english == each.words) chinese = word.chinese;
    out += row({code(std::string(each.words) + (each.needs_field ? " E.f" : " E")), code(chinese),
                std::string(each.gives)});
  }
  return out;
}

// One command under its whole name; of one that has commands of its own, those.
void describe(std::string& out, const std::string& name, const CLI::App& command) {
  const auto parts = command.get_subcommands({});
  for (const CLI::App* const part : parts) describe(out, name + " " + part->get_name(), *part);
  if (!parts.empty()) return;
  out += "\n## " + name + "\n\n" + command.get_description() + ".\n";
  std::string places, table;
  for (const CLI::Option* const option : command.get_options()) {
    if (option == command.get_help_ptr()) continue;
    std::string form = option->get_name(option->get_positional());
    if (option->get_positional()) {
      const bool many = option->get_expected_max() > 1;
      for (char& c : form)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      places += " " + std::string(option->get_required() ? "" : "[") + form + (many ? "…" : "") +
                (option->get_required() ? "" : "]");
    } else if (option->get_expected_max() > 0) {
      form += option->get_expected_max() > 1 ? " VALUE…" : " VALUE";
    }
    table +=
        row({code(form), option->get_required() ? "must be given" : code(option->get_default_str()),
             cell(option->get_description())});
  }
  out += "\n```text\n" + name + places + "\n```\n";
  if (!table.empty()) out += "\n| option | where none is given | |\n| --- | --- | --- |\n" + table;
}

std::string commands(const CLI::App& app) {
  std::string out =
      heading("Commands",
              "Exit status: 0 done, 1 findings (errors, failed tests, differences), 2 usage or\n"
              "environment. `koi COMMAND --help` tells the same.");
  describe(out, "koi", app);
  return out;
}

// What the provider takes, as the outbox holds it.
std::string limits_of(const channel::Capabilities& capabilities) {
  std::string out;
  if (!capabilities.forms.empty())
    out += "\n| what goes | as | how long | how many |\n| --- | --- | --- | --- |\n";
  const auto all = [](const auto& limits) {
    std::string list;
    for (const auto& limit : limits) list += (list.empty() ? "" : "; ") + to_string(limit);
    return list;
  };
  for (const channel::Form& form : capabilities.forms)
    out += row({form.name.empty() ? "all" : code(form.name), std::string(name_of(form.format)),
                all(form.lengths), all(form.amounts)});
  if (!capabilities.amounts.empty())
    out += "\nOf all together at most " + all(capabilities.amounts) + ".\n";
  if (!capabilities.zone.empty())
    out += "\nThe provider's day begins by the clocks of " + std::string(capabilities.zone) + ".\n";
  return out;
}

std::string connectors() {
  std::string out = heading(
      "Connectors",
      "What is built in, with its settings. [connectors.md](../connectors.md) says how they are\n"
      "chosen, what they promise and how to write one.");
  for (const channel::ConnectorType* const each : koi::connectors::all()) {
    out += "\n## " + std::string(each->name) + "\n\n" + std::string(each->summary) + "\n\n" +
           channel::settings_table(each->settings) +
           "\nAfter an attempt whose outcome is unknown: **" +
           std::string(name_of(each->capabilities.repeat)) + "**. At most " +
           std::to_string(each->capabilities.at_once) + " deliveries are under way at once. It " +
           (each->capabilities.replies ? "can" : "cannot") + " carry an answer (`reply`).\n";
    out += limits_of(each->capabilities);
    for (const channel::PerPerson& limit : each->capabilities.per_person)
      out += "\nWhat one person may be sent of " + std::string(limit.what) + ": `" +
             std::string(limit.clause) + "`.\n";
  }
  return out;
}

}  // namespace

std::vector<Page> reference(const CLI::App& app) {
  return {{"words.md", words()},
          {"diagnostics.md", diagnostics()},
          {"events.md", events()},
          {"functions.md", functions()},
          {"commands.md", commands(app)},
          {"connectors.md", connectors()},
          {"koi.tmLanguage.json", textmate_grammar()}};
}

}  // namespace koi::cli
