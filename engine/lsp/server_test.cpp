#include "lsp/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/scratch.h"
#include "lsp/text.h"
#include "lsp/uri.h"

namespace koi::lsp {
namespace {

using Json = nlohmann::json;
using Files = std::map<std::string, std::string>;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::UnorderedElementsAre;

const std::string shop = R"(event purchase "购买" { sku "商品": text  amount "金额": money }
customer { role: enum(member, staff) = member }
segment staff when customer.role == staff
metric spent = sum purchase.amount over 30 days
channel sms { class direct }
policy { campaigns { hold out 10% } }
)";
const std::string thanks = R"(# 🎉 谢谢
content thanks { body "谢谢 {p.sku}" }
campaign thank {
  class service
  for not staff and spent > ¥5
  when purchase as p
    send thanks via sms
}
)";

// A client with a folder of files.
class Client {
 public:
  explicit Client(Files files, Json options = Json::object()) {
    for (const auto& [name, text] : files) {
      std::ofstream(folder_ / name) << text;
      texts_[name] = text;
    }
    Json params{{"rootUri", uri_of(folder_.path().string())}, {"capabilities", Json::object()}};
    params["initializationOptions"] = std::move(options);
    start = ask("initialize", params);
    tell("initialized", Json::object());
  }

  std::string uri(const std::string& name) const { return uri_of((folder_ / name).string()); }
  void raw(const std::string& message) {
    server.take(message);
    while (server.step()) {
    }
  }
  void tell(const std::string& method, const Json& params) {
    raw(Json{{"jsonrpc", "2.0"}, {"method", method}, {"params", params}}.dump());
  }
  // The whole answer.
  Json asked(const std::string& method, const Json& params) {
    const int id = ++last_id_;
    raw(Json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}.dump());
    for (const Json& each : said)
      if (each.value("id", Json()) == id) return each;
    ADD_FAILURE() << "no answer to " << method;
    return {};
  }
  Json ask(const std::string& method, const Json& params) {
    Json answer = asked(method, params);
    EXPECT_TRUE(answer.contains("result")) << answer.dump();
    return answer["result"];
  }
  void open(const std::string& name) {
    tell("textDocument/didOpen",
         {{"textDocument",
           {{"uri", uri(name)}, {"languageId", "koi"}, {"version", 1}, {"text", texts_[name]}}}});
  }
  void change(const std::string& name, const std::string& text) {
    texts_[name] = text;
    tell("textDocument/didChange", {{"textDocument", {{"uri", uri(name)}, {"version", 2}}},
                                    {"contentChanges", {{{"text", text}}}}});
  }
  // Where the nth `word` of a file begins (or `into` bytes behind that).
  Json at(const std::string& name, const std::string& word, std::size_t into = 0, int nth = 0) {
    const std::string& text = texts_[name];
    std::size_t found = text.find(word);
    while (nth-- > 0) found = text.find(word, found + 1);
    EXPECT_NE(found, text.npos) << word;
    const Position place = Lines(text).position(static_cast<std::uint32_t>(found + into));
    return {{"textDocument", {{"uri", uri(name)}}},
            {"position", {{"line", place.line}, {"character", place.character}}}};
  }
  // Codes of what was last told of a file, when all is told.
  std::vector<std::string> codes(const std::string& name) {
    while (server.has_news()) server.tell_diagnostics();
    return last_told(name);
  }
  std::vector<std::string> last_told(const std::string& name) {
    std::vector<std::string> out;
    for (const Json& each : said) {
      if (each.value("method", "") != "textDocument/publishDiagnostics") continue;
      if (each["params"]["uri"] != uri(name)) continue;
      out.clear();
      for (const Json& diagnostic : each["params"]["diagnostics"])
        out.push_back(diagnostic["code"]);
    }
    return out;
  }
  std::vector<std::string> completion(const std::string& name, const std::string& text) {
    change(name, text);
    const Position end = Lines(text).position(static_cast<std::uint32_t>(text.size()));
    const Json found = ask("textDocument/completion",
                           {{"textDocument", {{"uri", uri(name)}}},
                            {"position", {{"line", end.line}, {"character", end.character}}}});
    std::vector<std::string> out;
    for (const Json& item : found["items"]) out.push_back(item["label"]);
    return out;
  }
  std::string edited(const std::string& name, const Json& edits) {
    std::string text = texts_[name];
    for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
      const auto place = [&](const char* which) {
        return Position{(*edit)["range"][which]["line"], (*edit)["range"][which]["character"]};
      };
      text = replaced(text, {place("start"), place("end")}, (*edit)["newText"].get<std::string>());
    }
    return text;
  }

  std::vector<Json> said;
  Server server{Language::English, "test",
                [this](const std::string& message) { said.push_back(Json::parse(message)); }};
  Json start;

 private:
  Scratch folder_;
  std::map<std::string, std::string> texts_;
  int last_id_ = 0;
};

TEST(Server, SaysWhatItCanDo) {
  Client client(Files{});
  EXPECT_EQ(client.start["capabilities"]["textDocumentSync"]["change"], 2);
  EXPECT_EQ(client.start["capabilities"]["positionEncoding"], "utf-16");
  EXPECT_EQ(client.start["serverInfo"]["name"], "koi");
}

TEST(Server, TheWholeFolderIsOneProgramAndBuffersGoBeforeFiles) {
  Client client(Files{{"shop.koi", shop}, {"thanks.koi", thanks}});
  client.open("thanks.koi");
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre());
  client.change("thanks.koi", thanks + "segment x when orders > 1\n");
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre("K0201"));
  client.open("shop.koi");
  client.change("shop.koi", shop + "metric orders = count purchase\n");
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre());
  // Unsaved text is forgotten when the buffer closes.
  client.tell("textDocument/didClose", {{"textDocument", {{"uri", client.uri("shop.koi")}}}});
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre("K0201"));
}

TEST(Server, DiagnosticsStandAtTheRightUnitsBehindEmoji) {
  Client client(Files{{"shop.koi", shop}, {"a.koi", "segment a when \"🎉购\" == customer.rolle\n"}});
  client.open("a.koi");
  client.server.tell_diagnostics();
  bool found = false;
  for (const Json& each : client.said) {
    if (each.value("method", "") != "textDocument/publishDiagnostics") continue;
    for (const Json& diagnostic : each["params"]["diagnostics"]) {
      if (diagnostic["code"] != "K0203") continue;
      found = true;
      // segment a when "🎉购" == customer.rolle: 15 + 1 + 2 + 1 + 1 + 4 + 9
      EXPECT_EQ(diagnostic["range"]["start"]["character"], 33);
      EXPECT_EQ(diagnostic["range"]["end"]["character"], 38);
      EXPECT_THAT(diagnostic["message"].get<std::string>(), HasSubstr("did you mean `role`?"));
    }
  }
  EXPECT_TRUE(found);
}

TEST(Server, EditsInPiecesCountInUtf16) {
  Client client(Files{{"shop.koi", shop}, {"thanks.koi", thanks}});
  client.open("thanks.koi");
  // "# 🎉 谢谢" → "# 🎉!谢谢"; then the content's name.
  client.tell(
      "textDocument/didChange",
      {{"textDocument", {{"uri", client.uri("thanks.koi")}, {"version", 2}}},
       {"contentChanges",
        {{{"range",
           {{"start", {{"line", 0}, {"character", 4}}}, {"end", {{"line", 0}, {"character", 5}}}}},
          {"text", "!"}},
         {{"range",
           {{"start", {{"line", 1}, {"character", 8}}}, {"end", {{"line", 1}, {"character", 14}}}}},
          {"text", "danke"}}}}});
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre("K0201"));  // `thanks` is sent, `danke` is
}

TEST(Server, ReadersGetTheirLanguage) {
  Client client(Files{{"a.koi", "segment a when orders > 1\n"}}, {{"language", "zh"}});
  client.open("a.koi");
  client.server.tell_diagnostics();
  EXPECT_THAT(client.said.back()["params"]["diagnostics"][0]["message"].get<std::string>(),
              HasSubstr("没有声明"));
}

TEST(Server, HoverTellsTypesDefinitionsAndEffectiveClauses) {
  Client client(Files{{"shop.koi", shop}, {"thanks.koi", thanks}});
  client.open("thanks.koi");
  const auto hover = [&](const Json& at) {
    return client.ask("textDocument/hover", at)["contents"]["value"].get<std::string>();
  };
  EXPECT_THAT(hover(client.at("thanks.koi", "spent", 2)),
              AllOf(HasSubstr("a metric, of type `money`"),
                    HasSubstr("metric spent = sum purchase.amount over 30 days")));
  EXPECT_THAT(hover(client.at("thanks.koi", "sku")),
              AllOf(HasSubstr("`sku` “商品”"), HasSubstr("of type `text`")));
  EXPECT_THAT(hover(client.at("thanks.koi", "thank {")),
              AllOf(HasSubstr("hold out 10%  # from the policy"),
                    HasSubstr("enter once  # not said"), HasSubstr("class service\n")));
  EXPECT_TRUE(client.ask("textDocument/hover", client.at("thanks.koi", "🎉")).is_null());
}

TEST(Server, DefinitionAndReferencesGoAcrossFilesAndAliases) {
  Client client(
      Files{{"shop.koi", shop}, {"thanks.koi", thanks}, {"b.koi", "metric n = count 购买\n"}});
  client.open("thanks.koi");
  const Json definition =
      client.ask("textDocument/definition", client.at("thanks.koi", "purchase"));
  ASSERT_EQ(definition.size(), 1u);
  EXPECT_EQ(definition[0]["uri"], client.uri("shop.koi"));
  EXPECT_EQ(definition[0]["range"]["start"]["character"], 6);
  Json params = client.at("thanks.koi", "purchase");
  params["context"]["includeDeclaration"] = false;
  const Json references = client.ask("textDocument/references", params);
  std::vector<std::string> files;
  for (const Json& each : references) files.push_back(each["uri"]);
  // The alias in the declaration, the metrics in two files, and the trigger.
  EXPECT_THAT(files, UnorderedElementsAre(client.uri("shop.koi"), client.uri("shop.koi"),
                                          client.uri("b.koi"), client.uri("thanks.koi")));
}

TEST(Server, RenamingChangesTheSpellingAtThePlaceEverywhere) {
  Client client(
      Files{{"shop.koi", shop}, {"thanks.koi", thanks}, {"b.koi", "metric n = count 购买\n"}});
  for (const char* name : {"shop.koi", "thanks.koi", "b.koi"}) client.open(name);
  const auto rename = [&](const Json& at, const std::string& name) {
    Json params = at;
    params["newName"] = name;
    return client.asked("textDocument/rename", params);
  };
  Json changes = rename(client.at("thanks.koi", "purchase"), "order_paid")["result"]["changes"];
  EXPECT_EQ(changes.size(), 2u);
  EXPECT_THAT(client.edited("shop.koi", changes[client.uri("shop.koi")]),
              AllOf(HasSubstr("event order_paid \"购买\""), HasSubstr("sum order_paid.amount")));
  EXPECT_THAT(client.edited("thanks.koi", changes[client.uri("thanks.koi")]),
              HasSubstr("when order_paid as p"));

  changes = rename(client.at("b.koi", "购买"), "下单")["result"]["changes"];
  EXPECT_EQ(client.edited("b.koi", changes[client.uri("b.koi")]), "metric n = count 下单\n");
  EXPECT_THAT(client.edited("shop.koi", changes[client.uri("shop.koi")]),
              HasSubstr("event purchase \"下单\""));

  // A keyword gets back-quotes; what is taken, no name, or of another meaning is refused.
  changes = rename(client.at("thanks.koi", "thanks"), "send")["result"]["changes"];
  EXPECT_THAT(client.edited("thanks.koi", changes[client.uri("thanks.koi")]),
              AllOf(HasSubstr("content `send` {"), HasSubstr("send `send` via")));
  for (const char* bad : {"spent", "two words", "9lives", "", "a\"b", "a`b"})
    EXPECT_EQ(rename(client.at("thanks.koi", "staff"), bad)["error"]["code"], -32803) << bad;
  EXPECT_TRUE(client.ask("textDocument/prepareRename", client.at("thanks.koi", "class")).is_null());
}

TEST(Server, CompletionKnowsWhatMayStandWhere) {
  Client client(Files{{"shop.koi", shop}, {"a.koi", ""}});
  client.open("a.koi");
  EXPECT_THAT(client.completion("a.koi", ""),
              AllOf(IsSupersetOf({"campaign", "segment"}), Not(Contains("purchase"))));
  EXPECT_THAT(client.completion("a.koi", "segment a when customer."),
              AllOf(IsSupersetOf({"role", "id", "created"}), Not(Contains("sku"))));
  EXPECT_THAT(client.completion("a.koi", "segment a when customer.role == "),
              IsSupersetOf({"member", "staff"}));
  EXPECT_THAT(client.completion("a.koi", "segment a when spent > ¥1 and sta"),
              AllOf(IsSupersetOf({"staff", "spent"}), Not(Contains("thanks"))));
  EXPECT_THAT(client.completion("a.koi", "campaign c { class "),
              ElementsAre("marketing", "service", "transactional"));
  EXPECT_THAT(client.completion("a.koi", "campaign c { when purchase as p where p."),
              IsSupersetOf({"sku", "amount", "time"}));
  EXPECT_THAT(client.completion("a.koi", "campaign c { when purchase where "),
              IsSupersetOf({"sku", "amount"}));
  EXPECT_THAT(client.completion("a.koi", "campaign c { when purchase send x via "),
              ElementsAre("sms"));
  EXPECT_THAT(client.completion("a.koi", "content c { body \"{cust"), Contains("customer"));
  EXPECT_THAT(client.completion("a.koi", "content c { body \"plain "), ElementsAre());
  EXPECT_THAT(client.completion("a.koi", "test \"t\" { at 2026-01-01 10:00 ann purchase { "),
              IsSupersetOf({"sku", "amount"}));
  EXPECT_THAT(client.completion("a.koi", "test \"t\" { at 2026-01-01 10:00 redeem ten of ann { or"),
              IsSupersetOf({"order", "hold", "beside"}));
  EXPECT_THAT(client.completion("a.koi", "测试 “t” { 在 2026-01-01 10:00 核销 ten 的 ann { "),
              IsSupersetOf({"订单", "保留", "同用"}));
}
TEST(Server, CompletionSpeaksTheLanguageOfTheFile) {
  Client client(Files{{"shop.koi", shop}, {"a.koi", ""}});
  client.open("a.koi");
  const auto found = client.completion("a.koi", "人群 甲 当 顾客.role == staff\n活动 乙 { 当 ");
  EXPECT_THAT(found, IsSupersetOf({"购买", "成为"}));
  EXPECT_THAT(found, Not(Contains("enters")));
  EXPECT_THAT(client.completion("a.koi", "人群 甲 当 spent > ¥1\n活动 乙 { 当 购"),
              IsSupersetOf({"购买", "purchase"}));
}

TEST(Server, FormattingChangesNoMoreThanItMust) {
  const std::string text =
      "segment a when 1 == 1\nsegment b   when 2 ==  2\nsegment c when 3 == 3\n";
  Client client(Files{{"a.koi", text}});
  client.open("a.koi");
  const Json edits = client.ask("textDocument/formatting",
                                {{"textDocument", {{"uri", client.uri("a.koi")}}},
                                 {"options", {{"tabSize", 2}, {"insertSpaces", true}}}});
  ASSERT_EQ(edits.size(), 1u);
  EXPECT_EQ(client.edited("a.koi", edits),
            "segment a when 1 == 1\nsegment b when 2 == 2\nsegment c when 3 == 3\n");
  EXPECT_EQ(edits[0]["range"]["start"]["line"], 1);
  client.change("a.koi", "segment (");
  EXPECT_EQ(
      client.ask("textDocument/formatting", {{"textDocument", {{"uri", client.uri("a.koi")}}}}),
      Json::array());
}

TEST(Server, SymbolsAreAnOutline) {
  Client client(Files{{"shop.koi", shop}});
  client.open("shop.koi");
  const Json symbols = client.ask("textDocument/documentSymbol",
                                  {{"textDocument", {{"uri", client.uri("shop.koi")}}}});
  ASSERT_EQ(symbols.size(), 6u);
  EXPECT_EQ(symbols[0]["name"], "purchase");
  EXPECT_EQ(symbols[0]["detail"], "购买");
  EXPECT_EQ(symbols[0]["children"][1]["name"], "amount");
  EXPECT_EQ(symbols[1]["children"][0]["children"][1]["name"], "staff");
}

TEST(Server, ASuggestionIsACodeAction) {
  Client client(
      Files{{"a.koi", "event purchase { amount: money }\nmetric m = sum purchase.amuont\n"}});
  client.open("a.koi");
  Json params = client.at("a.koi", "amuont", 3);
  params["range"] = {{"start", params["position"]}, {"end", params["position"]}};
  params["context"] = {{"diagnostics", Json::array()}};
  const Json actions = client.ask("textDocument/codeAction", params);
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_EQ(actions[0]["title"], "change to `amount`");
  EXPECT_THAT(client.edited("a.koi", actions[0]["edit"]["changes"][client.uri("a.koi")]),
              HasSubstr("sum purchase.amount\n"));
}

TEST(Server, HasALife) {
  std::vector<Json> said;
  Server server(Language::English, "test",
                [&](const std::string& message) { said.push_back(Json::parse(message)); });
  const auto ask = [&](const char* text) {
    server.take(text);
    while (server.step()) {
    }
    return said.empty() ? Json() : said.back();
  };
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"textDocument/hover"})")["error"]["code"],
            -32002);
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":"a","method":"initialize","params":{}})")["id"], "a");
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":2,"method":"initialize"})")["error"]["code"], -32600);
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":3,"method":"koi/unknown"})")["error"]["code"], -32601);
  EXPECT_TRUE(ask(R"({"jsonrpc":"2.0","id":4,"method":"shutdown"})")["result"].is_null());
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":5,"method":"shutdown"})")["error"]["code"], -32600);
  ask(R"({"jsonrpc":"2.0","method":"exit"})");
  EXPECT_EQ(server.ended(), 0);
}

TEST(Server, WhatIsCancelledBeforeItsTurnIsNotDone) {
  Client client(Files{{"shop.koi", shop}});
  client.open("shop.koi");
  client.said.clear();
  client.server.take(R"({"jsonrpc":"2.0","id":77,"method":"textDocument/documentSymbol",
                         "params":{"textDocument":{"uri":"x"}}})");
  client.raw(R"({"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":77}})");
  ASSERT_EQ(client.said.size(), 1u);
  EXPECT_EQ(client.said[0]["error"]["code"], -32800);
  client.raw(R"({"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":99}})");
  client.raw(R"({"jsonrpc":"2.0","method":"$/cancelRequest"})");
  EXPECT_EQ(client.said.size(), 1u);
}

TEST(Server, NothingThatAClientSaysBreaksIt) {
  Client client(Files{{"shop.koi", shop}});
  client.open("shop.koi");
  const std::string uri = client.uri("shop.koi");
  const std::vector<std::string> methods{
      "textDocument/didOpen",       "textDocument/didChange",
      "textDocument/didClose",      "textDocument/completion",
      "textDocument/hover",         "textDocument/definition",
      "textDocument/references",    "textDocument/documentHighlight",
      "textDocument/prepareRename", "textDocument/rename",
      "textDocument/formatting",    "textDocument/documentSymbol",
      "textDocument/codeAction",    "workspace/didChangeWatchedFiles"};
  const std::vector<Json> odd{
      nullptr,
      Json::array(),
      "text",
      {{"textDocument", nullptr}},
      {{"textDocument", {{"uri", 5}}}},
      {{"textDocument", {{"uri", ""}}}},
      {{"textDocument", {{"uri", "file://"}}}},
      {{"textDocument", {{"uri", uri}}}},
      {{"textDocument", {{"uri", uri}}}, {"position", {{"line", -1}, {"character", 0}}}},
      {{"textDocument", {{"uri", uri}}}, {"position", {{"line", 1e18}, {"character", "x"}}}},
      {{"textDocument", {{"uri", uri}}},
       {"position", {{"line", 18446744073709551615ull}, {"character", 4294967295u}}},
       {"range", {{"start", {{"line", 9}, {"character", 9}}}, {"end", 1}}},
       {"newName", {}}},
      {{"textDocument", {{"uri", uri}}}, {"contentChanges", {1, "x", {{"range", 5}}}}},
      {{"changes", {1, {{"uri", 5}}}}}};
  for (const std::string& method : methods)
    for (const Json& params : odd) {
      client.tell(method, params);
      client.asked(method, params);
      client.server.tell_diagnostics();
    }
  for (const char* bad : {"", "{", "[]", "5", "\xff\xff", R"({"id":1})", R"({"id":{},"method":5})",
                          R"({"jsonrpc":"2.0","id":"koi-watch","result":null})",
                          R"({"jsonrpc":"2.0","id":null,"method":"textDocument/hover"})"})
    client.raw(bad);
  client.raw("[" + std::string(100'000, '['));
  // Still there.
  client.change("shop.koi", shop);
  client.open("shop.koi");
  EXPECT_EQ(client.ask("textDocument/documentSymbol", {{"textDocument", {{"uri", uri}}}}).size(),
            6u);
}

// Two that answer one event with a message, in two files: only the whole program tells.
const std::string other = R"(content more { body "more" }
campaign tells_more {
  class marketing
  when purchase as q
    send more via sms
}
)";
const std::string marketing = R"(content thanks { body "hello" }
campaign thank {
  class marketing
  when purchase as p
    send thanks via sms
}
)";

TEST(Server, TheEditedFileIsToldFirstAndTheRestBehindIt) {
  Client client(Files{
      {"shop.koi", shop}, {"thanks.koi", thanks}, {"uses.koi", "segment a when spent > ¥5\n"}});
  client.open("shop.koi");
  EXPECT_THAT(client.codes("uses.koi"), ElementsAre());
  std::string edited = shop;
  edited.replace(edited.find("metric spent"), 12, "metric spend");
  client.change("shop.koi", edited + "segment b when orders > 1\n");
  client.server.tell_diagnostics();
  EXPECT_THAT(client.last_told("shop.koi"), ElementsAre("K0201"));
  EXPECT_THAT(client.last_told("uses.koi"), ElementsAre());
  EXPECT_TRUE(client.server.has_news());
  client.server.tell_diagnostics();
  EXPECT_THAT(client.last_told("shop.koi"), ElementsAre("K0201"));
  EXPECT_THAT(client.last_told("uses.koi"), ElementsAre("K0201"));
  EXPECT_FALSE(client.server.has_news());
}

TEST(Server, WhatOnlyTheWholeProgramTellsStaysAndMovesWithTheText) {
  Client client(Files{{"shop.koi", shop}, {"a_more.koi", other}, {"thanks.koi", marketing}});
  client.open("thanks.koi");
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre("K0512"));
  const auto line = [&] {
    Json told;
    for (const Json& each : client.said)
      if (each.value("method", "") == "textDocument/publishDiagnostics" &&
          each["params"]["uri"] == client.uri("thanks.koi") &&
          !each["params"]["diagnostics"].empty())
        told = each["params"]["diagnostics"].back();
    return told["range"]["start"]["line"].get<int>();
  };
  EXPECT_EQ(line(), 3);
  client.change("thanks.koi", marketing + "segment b when orders > 1\n");
  client.server.tell_diagnostics();
  EXPECT_THAT(client.last_told("thanks.koi"), ElementsAre("K0512", "K0201"));
  client.change("thanks.koi", marketing);
  client.server.tell_diagnostics();
  client.change("thanks.koi", "# a line\n\n" + marketing);
  client.server.tell_diagnostics();
  EXPECT_THAT(client.last_told("thanks.koi"), ElementsAre("K0512"));
  EXPECT_EQ(line(), 5);
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre("K0512"));
  // What is written over is asked for anew.
  std::string mended = marketing;
  mended.insert(mended.find("purchase as p"), " ");
  client.change("thanks.koi", mended);
  client.server.tell_diagnostics();
  EXPECT_THAT(client.last_told("thanks.koi"), ElementsAre());
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre("K0512"));
  // An allowance counts at once.
  client.change("thanks.koi", "# allow K0512: both are wanted\n" + mended);
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre("K0513", "K0512"));
  mended.insert(mended.find("  when "), "  # allow K0512: both are wanted\n");
  client.change("thanks.koi", mended);
  client.server.tell_diagnostics();
  EXPECT_THAT(client.last_told("thanks.koi"), ElementsAre());
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre());
}

TEST(Server, CompletionKnowsWhatWasJustDeclaredBeforeAnybodyWasTold) {
  Client client(Files{{"shop.koi", shop}, {"thanks.koi", thanks}});
  client.open("thanks.koi");
  EXPECT_THAT(client.codes("thanks.koi"), ElementsAre());
  EXPECT_THAT(client.completion("thanks.koi", thanks + "event visit { page: text  place: text }\n"
                                                       "segment b when count visit where "),
              IsSupersetOf({"page", "place"}));
  EXPECT_THAT(client.codes("thanks.koi"), Not(ElementsAre()));
}

}  // namespace
}  // namespace koi::lsp
