// A program of a thousand campaigns: how long `koi check` takes from nothing, on one core, and how
// long the language server takes to answer when one of its files is edited. The program is made
// here, the same every time.
//   koi-bench-language FOLDER [CAMPAIGNS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "check/check.h"
#include "lang/parse.h"
#include "lsp/server.h"
#include "lsp/uri.h"

namespace {

using namespace koi;
namespace fs = std::filesystem;

constexpr std::size_t campaigns_in_a_file = 10;

const char* const vocabulary = R"(event register { phone: phone?  name: text?  city: text? }
event add_to_cart { sku: text  amount: money  category: text? }
event purchase { sku: text  amount: money  category: text? }
event page_view { sku: text }
customer {
  phone: phone? private
  name: text?
  city: text?
  role: enum(member, staff, guest) = member
  identify by phone
  on register set phone = register.phone, name = register.name, city = register.city
}
channel sms { class direct  cost ¥0.05  reach by phone }
channel wechat { class conversation }
policy {
  time zone "Asia/Shanghai"
  quiet hours 22:00 to 08:00 delay
  cap marketing 3 per day
  consent required for marketing
  campaigns { hold out 5% }
}
metric orders = count purchase
metric spent = sum purchase.amount over 90 days
segment staff when customer.role == staff
)";

std::string campaign(std::size_t i) {
  const auto n = [](std::size_t number) { return std::to_string(number); };
  const std::string id = n(i);
  return "content nudge_" + id + " \"提醒" + id + "\" {\n" +
         "  title \"Still thinking it over, {customer.name or \"you\"}?\"\n" +
         "  body \"Your {cart.sku} for {cart.amount} is waiting\"\n" +
         "  for sms { body \"{cart.sku} is waiting\" }\n}\n\n" +  //
         "segment lapsed_" + id + "\n  when orders >= " + n(i % 5 + 1) +
         " and time since last purchase > " + n(20 + i % 40) + " days and spent >= ¥" +
         n(i % 100 + 1) + ".00\n\n" +  //
         "campaign rescue_" + id + " \"召回" + id + "\" {\n  class marketing\n" +
         "  for not staff and (customer.city or \"\") != \"city" + id + "\"\n" +
         "  enter once per cart.sku every " + n(1 + i % 9) + " days\n" +
         "  goal purchase where sku == cart.sku within 3 days\n" +
         "  leave when purchase where sku == cart.sku and amount >= ¥" + n(i % 50 + 1) +
         ".50\n  priority " + n(i % 100) + "\n\n" +  //
         "  when add_to_cart as cart where amount >= ¥" + n(i % 70 + 5) +
         ".00 and no purchase where sku == cart.sku within 30 minutes\n" +  //
         "    if lapsed_" + id + " or spent >= ¥" + n(i % 300 + 100) + ".00 {\n" +
         "      send nudge_" + id + " via wechat, else sms\n      wait 1 day\n" +
         "    } else if cart.category is known {\n      wait until 20:00\n" +  //
         "      send nudge_" + id + " via sms\n    }\n" +
         "    wait for page_view where sku == cart.sku up to " + n(1 + i % 5) + " days {\n" +
         "      send nudge_" + id + " via wechat\n    }\n}\n\n";
}

double milliseconds() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: koi-bench-language FOLDER [CAMPAIGNS]\n");
    return 2;
  }
  const fs::path folder = fs::absolute(arguments[1]);
  const std::size_t campaigns = count > 2 ? std::stoul(arguments[2]) : 1000;
  std::error_code error;
  fs::remove_all(folder, error);
  fs::create_directories(folder);
  std::vector<Source> sources;
  std::size_t lines = 0;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
    lines += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    sources.emplace_back((folder / name).string(), text);
  };
  write("a_shop.koi", vocabulary);
  for (std::size_t i = 0; i < campaigns; i += campaigns_in_a_file) {
    std::string text;
    for (std::size_t j = i; j < std::min(campaigns, i + campaigns_in_a_file); ++j)
      text += campaign(j);
    write("c" + std::to_string(1'000'000 + i) + ".koi", text);
  }

  // From nothing: the parser's tables are made in this run too.
  const double begin = milliseconds();
  std::vector<lang::ast::File> trees;
  for (std::size_t i = 0; i < sources.size(); ++i)
    trees.push_back(lang::parse(sources[i], static_cast<std::uint32_t>(i), Language::English).file);
  const double parsed = milliseconds();
  const check::Checked checked = check::check(trees);
  const double done = milliseconds();
  const bool good = checked.ok();

  std::size_t said = 0;
  lsp::Server server(Language::English, "bench", [&](const std::string&) { ++said; });
  const auto tell = [&](const std::string& message) {
    server.take(message);
    while (server.step()) {
    }
  };
  const std::size_t edited = sources.size() / 2;
  const std::string uri = lsp::uri_of(sources[edited].path());
  tell("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"rootUri\":" +
       quoted(lsp::uri_of(folder.string())) + "}}");
  const std::string document = "\"textDocument\":{\"uri\":" + quoted(uri);
  tell("{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didOpen\",\"params\":{" + document +
       ",\"languageId\":\"koi\",\"version\":1,\"text\":" +
       quoted(std::string(sources[edited].text())) + "}}}");
  while (server.has_news()) server.tell_diagnostics();
  // A letter is typed and taken back: the file's diagnostics come first, then those of the whole
  // program, which is checked again each time.
  std::vector<double> answers, wholes, hovers;
  for (int i = 0; i < 40; ++i) {
    const bool typed = i % 2 == 0;
    const double before = milliseconds();
    tell("{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didChange\",\"params\":{" + document +
         ",\"version\":2},\"contentChanges\":[{\"range\":{\"start\":{\"line\":6,\"character\":8},"
         "\"end\":{\"line\":6,\"character\":" +
         (typed ? "8" : "9") + "}},\"text\":\"" + (typed ? "x" : "") + "\"}]}}");
    const std::size_t heard = said;
    server.tell_diagnostics();
    answers.push_back(milliseconds() - before);
    if (said == heard) {
      std::fprintf(stderr, "the edit was not answered\n");
      return 1;
    }
    const double asked = milliseconds();
    tell("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"textDocument/completion\",\"params\":{" +
         document + "},\"position\":{\"line\":9,\"character\":7}}}");
    hovers.push_back(milliseconds() - asked);
    const double rest = milliseconds();
    while (server.has_news()) server.tell_diagnostics();
    wholes.push_back(milliseconds() - rest);
  }
  fs::remove_all(folder, error);

  const double check_ms = done - begin, edit_ms = median(answers);
  std::printf("%zu campaigns in %zu files, %zu lines\n\n", campaigns, sources.size(), lines);
  std::printf("| | measured | goal |\n| --- | --- | --- |\n");
  std::printf(
      "| checked from nothing, one core | %.0f ms (parsed %.0f, checked %.0f) | under 1000 ms |\n",
      check_ms, parsed - begin, done - parsed);
  std::printf(
      "| an edit of one file, to its diagnostics | median %.1f ms, slowest %.1f | under 50 ms |\n",
      edit_ms, *std::max_element(answers.begin(), answers.end()));
  std::printf("| behind it, to those of the whole program | median %.1f ms | |\n", median(wholes));
  std::printf("| a completion behind it | median %.1f ms | |\n", median(hovers));
  return good && check_ms < 1000 && edit_ms < 50 ? 0 : 1;
}
