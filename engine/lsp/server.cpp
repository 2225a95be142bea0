#include "lsp/server.h"

#include <algorithm>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "format/format.h"
#include "lsp/completion.h"
#include "lsp/rename.h"
#include "lsp/symbols.h"
#include "lsp/text.h"
#include "lsp/uri.h"
#include "lsp/workspace.h"

namespace koi::lsp {
namespace {

using Json = nlohmann::json;

// JSON-RPC's and LSP's own numbers.
enum Fault {
  ParseError = -32700,
  InvalidRequest = -32600,
  MethodNotFound = -32601,
  InvalidParams = -32602,
  NotInitialized = -32002,
  RequestCancelled = -32800,
  RequestFailed = -32803,
};

struct Failure {
  Fault code;
  std::string message;
};

Json to_json(const Position& at) { return {{"line", at.line}, {"character", at.character}}; }
Json to_json(const Range& range) {
  return {{"start", to_json(range.start)}, {"end", to_json(range.end)}};
}

// What a client says may be of any shape.
const Json& member(const Json& of, const char* name) {
  static const Json nothing;
  if (!of.is_object()) return nothing;
  const auto found = of.find(name);
  return found == of.end() ? nothing : *found;
}
std::string text_in(const Json& of, const char* name) {
  const Json& value = member(of, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}
std::uint32_t number_in(const Json& of, const char* name) {
  const Json& value = member(of, name);
  if (!value.is_number_integer() && !value.is_number_unsigned())
    throw Failure{InvalidParams, std::string("`") + name + "` is not a number"};
  // What is too large is behind every end.
  if (value.is_number_unsigned())
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(value.get<std::uint64_t>(), 0x7fffffff));
  const auto signed_value = value.get<std::int64_t>();
  if (signed_value < 0)
    throw Failure{InvalidParams, std::string("`") + name + "` is less than zero"};
  return static_cast<std::uint32_t>(std::min<std::int64_t>(signed_value, 0x7fffffff));
}
Position position_in(const Json& of, const char* name = "position") {
  const Json& at = member(of, name);
  return {number_in(at, "line"), number_in(at, "character")};
}
Range range_in(const Json& of, const char* name = "range") {
  const Json& range = member(of, name);
  return {position_in(range, "start"), position_in(range, "end")};
}
std::string document_in(const Json& params) {
  const std::string uri = text_in(member(params, "textDocument"), "uri");
  if (uri.empty()) throw Failure{InvalidParams, "`textDocument` has no `uri`"};
  return uri;
}

// LSP's numbers for kinds of symbols.
int symbol_kind(Symbol::Kind kind) {
  using Kind = Symbol::Kind;
  switch (kind) {
    case Kind::Event: return 24;
    case Kind::Customer: return 19;
    case Kind::Metric: return 16;
    case Kind::Segment:
    case Kind::Let: return 17;
    case Kind::Tier:
    case Kind::Audience: return 18;
    case Kind::Content: return 15;
    case Kind::Incentive:
    case Kind::Referral: return 11;
    case Kind::Channel: return 11;
    case Kind::Team:
    case Kind::Webhook: return 11;
    case Kind::Policy: return 3;
    case Kind::Campaign: return 5;
    case Kind::Test: return 12;
    case Kind::Field: return 8;
    case Kind::Attribute: return 7;
    case Kind::EnumValue: return 22;
  }
  return 13;
}
int completion_kind(Candidate::Kind kind) {
  switch (kind) {
    case Candidate::Kind::Keyword: return 14;
    case Candidate::Kind::Name: return 6;
    case Candidate::Kind::Field: return 5;
    case Candidate::Kind::Value: return 12;
    case Candidate::Kind::Type: return 25;
    case Candidate::Kind::Function: return 3;
  }
  return 1;
}

}  // namespace

class Server::Impl {
 public:
  Impl(Language language, std::string version, std::function<void(std::string)> send)
      : language_(language), version_(std::move(version)), send_(std::move(send)) {
    workspace_.set_language(language_);
  }

  void take(std::string_view message) {
    Json parsed = Json::parse(message, nullptr, false);
    if (parsed.is_discarded()) return answer_fault(nullptr, {ParseError, "this is not JSON"});
    if (!parsed.is_object())
      return answer_fault(nullptr, {InvalidRequest, "this is not a request of the protocol"});
    if (text_in(parsed, "method") == "$/cancelRequest") {
      const Json& id = member(member(parsed, "params"), "id");
      for (Queued& each : queue_)
        if (!id.is_null() && member(each.message, "id") == id) each.cancelled = true;
      return;
    }
    queue_.push_back({std::move(parsed), false});
  }

  void fault(std::string_view why) { answer_fault(nullptr, {InvalidRequest, std::string(why)}); }

  bool step() {
    if (queue_.empty()) return false;
    const Queued next = std::move(queue_.front());
    queue_.pop_front();
    const Json id = member(next.message, "id");
    const bool is_request = next.message.contains("id");
    const Json& method = member(next.message, "method");
    if (!method.is_string()) {
      // An answer to one of ours needs none.
      const bool is_answer = next.message.contains("result") || next.message.contains("error");
      if (!is_answer) answer_fault(id, {InvalidRequest, "a request has no `method`"});
      return true;
    }
    if (next.cancelled) {
      if (is_request) answer_fault(id, {RequestCancelled, "cancelled"});
      return true;
    }
    try {
      Json result = handle(method.get<std::string>(), member(next.message, "params"), is_request);
      if (is_request) answer(id, std::move(result));
    } catch (const Failure& failure) {
      if (is_request) answer_fault(id, failure);
    } catch (const Json::exception& error) {
      if (is_request) answer_fault(id, {InvalidParams, error.what()});
    }
    return true;
  }

  bool has_news() const { return initialized_ && !ended_ && news_; }

  bool tell_diagnostics() {
    if (!initialized_ || !news_) return true;
    if (const auto first = workspace_.first_look()) {
      // Of the file that is written in at once; the rest is still to be told.
      std::vector<const Diagnostic*> of;
      for (const Diagnostic& each : first->diagnostics) of.push_back(&each);
      publish(*first->program, first->source, of);
      return false;
    }
    news_ = false;
    std::set<std::string> alive;
    for (const Program* program : workspace_.programs()) {
      std::vector<std::vector<const Diagnostic*>> of(program->paths.size());
      for (const Diagnostic& each : program->diagnostics)
        if (each.span.source < of.size()) of[each.span.source].push_back(&each);
      for (std::size_t i = 0; i < of.size(); ++i) {
        alive.insert(program->paths[i]);
        publish(*program, i, of[i]);
      }
    }
    // Of files that are no longer anybody's nothing is wrong.
    for (auto at = told_.begin(); at != told_.end();) {
      if (alive.count(at->first) != 0) {
        ++at;
        continue;
      }
      if (!at->second.empty())
        notify("textDocument/publishDiagnostics",
               {{"uri", uri(at->first)}, {"diagnostics", Json::array()}});
      at = told_.erase(at);
    }
    return true;
  }

  std::optional<int> ended() const { return ended_; }

 private:
  struct Queued {
    Json message;
    bool cancelled = false;
  };
  struct Open {
    std::string uri;  // as the client writes it
    Json version;
  };
  // A document's program and its number in it.
  struct Document {
    const Program& program;
    std::uint32_t source;
    Lines lines;
    std::uint32_t offset(const Json& params) const { return lines.offset(position_in(params)); }
  };

  void send(const Json& message) {
    send_(message.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  void answer(const Json& id, Json result) {
    send({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
  }
  void answer_fault(const Json& id, const Failure& failure) {
    send({{"jsonrpc", "2.0"},
          {"id", id},
          {"error", {{"code", failure.code}, {"message", failure.message}}}});
  }
  void notify(const char* method, Json params) {
    send({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
  }

  std::string uri(const std::string& path) const {
    const auto open = open_.find(path);
    return open == open_.end() ? uri_of(path) : open->second.uri;
  }
  // `at_hand`: as far as the text itself tells, for what is asked at every key.
  Document document(const Json& params, bool at_hand = false) {
    const std::string path = path_of(document_in(params));
    if (workspace_.buffer(path) == nullptr)
      throw Failure{InvalidParams, "the document is not open"};
    const Program& program =
        at_hand ? workspace_.program_at_hand(path) : workspace_.program_of(path);
    const auto number = program.number(path);
    if (!number) throw Failure{RequestFailed, "the document is not part of a program"};
    return {program, *number, Lines(program.sources[*number].text())};
  }
  // The lines of each source are made once for an answer.
  class Places {
   public:
    Places(const Impl& impl, const Program& program) : impl_(impl), program_(program) {}
    Range range(SourceSpan span) {
      auto& lines = lines_[span.source];
      if (!lines) lines = std::make_unique<Lines>(program_.sources[span.source].text());
      return lines->range(span.begin, span.end);
    }
    Json location(SourceSpan span) {
      return {{"uri", impl_.uri(program_.paths[span.source])}, {"range", to_json(range(span))}};
    }

   private:
    const Impl& impl_;
    const Program& program_;
    std::map<std::uint32_t, std::unique_ptr<Lines>> lines_;
  };

  Json handle(const std::string& method, const Json& params, bool is_request) {
    if (method == "exit") {
      ended_ = shut_down_ ? 0 : 1;
      return nullptr;
    }
    if (shut_down_) throw Failure{InvalidRequest, "the server has shut down"};
    if (method == "initialize") return initialize(params);
    if (!initialized_) throw Failure{NotInitialized, "the client has not said `initialize`"};
    if (method == "shutdown") {
      shut_down_ = true;
      return nullptr;
    }
    if (method == "initialized") return watch();
    if (method == "textDocument/didOpen") return did_open(params);
    if (method == "textDocument/didChange") return did_change(params);
    if (method == "textDocument/didClose") return did_close(params);
    if (method == "workspace/didChangeWatchedFiles") return did_change_on_disk(params);
    if (method == "textDocument/completion") return completion(params);
    if (method == "textDocument/hover") return hover(params);
    if (method == "textDocument/definition") return definition(params);
    if (method == "textDocument/references") return references(params);
    if (method == "textDocument/documentHighlight") return highlight(params);
    if (method == "textDocument/prepareRename") return prepare_rename(params);
    if (method == "textDocument/rename") return rename(params);
    if (method == "textDocument/formatting") return formatting(params);
    if (method == "textDocument/documentSymbol") return document_symbols(params);
    if (method == "textDocument/codeAction") return code_actions(params);
    if (is_request) throw Failure{MethodNotFound, "`" + method + "` is not supported"};
    return nullptr;
  }

  // --- The life of a server ----------------------------------------------------------------------

  Json initialize(const Json& params) {
    if (initialized_) throw Failure{InvalidRequest, "`initialize` is said twice"};
    initialized_ = true;
    std::string wanted = text_in(member(params, "initializationOptions"), "language");
    if (wanted.empty()) wanted = text_in(params, "locale");
    if (wanted.starts_with("zh")) language_ = Language::Chinese;
    if (wanted.starts_with("en")) language_ = Language::English;
    workspace_.set_language(language_);
    const Json& folders = member(params, "workspaceFolders");
    if (folders.is_array() && !folders.empty()) {
      for (const Json& folder : folders)
        if (const auto root = text_in(folder, "uri"); !root.empty())
          workspace_.add_root(path_of(root));
    } else if (const auto root = text_in(params, "rootUri"); !root.empty()) {
      workspace_.add_root(path_of(root));
    }
    const Json& client = member(member(params, "capabilities"), "workspace");
    const Json& watches = member(member(client, "didChangeWatchedFiles"), "dynamicRegistration");
    can_watch_ = watches.is_boolean() && watches.get<bool>();
    return {{"capabilities",
             {{"positionEncoding", "utf-16"},
              {"textDocumentSync", {{"openClose", true}, {"change", 2}}},
              {"completionProvider", {{"triggerCharacters", {"."}}}},
              {"hoverProvider", true},
              {"definitionProvider", true},
              {"referencesProvider", true},
              {"documentHighlightProvider", true},
              {"renameProvider", {{"prepareProvider", true}}},
              {"documentFormattingProvider", true},
              {"documentSymbolProvider", true},
              {"codeActionProvider", {{"codeActionKinds", {"quickfix"}}}}}},
            {"serverInfo", {{"name", "koi"}, {"version", version_}}}};
  }

  Json watch() {
    if (can_watch_)
      send({{"jsonrpc", "2.0"},
            {"id", "koi-watch"},
            {"method", "client/registerCapability"},
            {"params",
             {{"registrations",
               {{{"id", "koi-watch"},
                 {"method", "workspace/didChangeWatchedFiles"},
                 {"registerOptions", {{"watchers", {{{"globPattern", "**/*.koi"}}}}}}}}}}}});
    return nullptr;
  }

  // --- Documents ---------------------------------------------------------------------------------

  Json did_open(const Json& params) {
    const Json& document = member(params, "textDocument");
    const std::string uri = document_in(params), path = path_of(uri);
    open_[path] = {uri, member(document, "version")};
    workspace_.open(path, text_in(document, "text"));
    news_ = true;
    return nullptr;
  }
  Json did_change(const Json& params) {
    const std::string path = path_of(document_in(params));
    const std::string* before = workspace_.buffer(path);
    const Json& changes = member(params, "contentChanges");
    if (before == nullptr || !changes.is_array()) return nullptr;
    std::string text = *before;
    for (const Json& change : changes) {
      const std::string by = text_in(change, "text");
      text = member(change, "range").is_object() ? replaced(text, range_in(change), by) : by;
    }
    open_[path].version = member(member(params, "textDocument"), "version");
    workspace_.open(path, std::move(text));
    news_ = true;
    return nullptr;
  }
  Json did_close(const Json& params) {
    const std::string path = path_of(document_in(params));
    workspace_.close(path);
    open_.erase(path);
    news_ = true;
    return nullptr;
  }
  Json did_change_on_disk(const Json& params) {
    const Json& changes = member(params, "changes");
    if (!changes.is_array()) return nullptr;
    for (const Json& change : changes) {
      const std::string path = path_of(text_in(change, "uri"));
      if (workspace_.buffer(path) == nullptr) workspace_.changed_on_disk(path);
    }
    news_ = true;
    return nullptr;
  }

  // --- What is wrong -----------------------------------------------------------------------------

  Json told(const Diagnostic& diagnostic, Places& places) const {
    std::string message = diagnostic.message;
    if (!diagnostic.help.empty())
      message += (language_ == Language::Chinese ? "\n帮助：" : "\nhelp: ") + diagnostic.help;
    Json out{{"range", to_json(places.range(diagnostic.span))},
             {"severity", diagnostic.severity == Severity::Error ? 1 : 2},
             {"code", diagnostic.code},
             {"source", "koi"},
             {"message", message}};
    for (const Label& label : diagnostic.labels)
      out["relatedInformation"].push_back(
          {{"location", places.location(label.span)}, {"message", label.text}});
    return out;
  }

  void publish(const Program& program, std::size_t number,
               const std::vector<const Diagnostic*>& diagnostics) {
    const std::string& path = program.paths[number];
    Places places(*this, program);
    Json list = Json::array();
    for (const Diagnostic* each : diagnostics) list.push_back(told(*each, places));
    const auto open = open_.find(path);
    std::string said =
        list.empty() ? std::string() : list.dump(-1, ' ', false, Json::error_handler_t::replace);
    const auto [before, is_new] = told_.try_emplace(path);
    const bool is_open = open != open_.end();
    if (before->second == said && !(is_new && is_open)) return;
    before->second = std::move(said);
    Json params{{"uri", uri(path)}, {"diagnostics", std::move(list)}};
    if (is_open && open->second.version.is_number()) params["version"] = open->second.version;
    notify("textDocument/publishDiagnostics", std::move(params));
  }

  Json code_actions(const Json& params) {
    const Document at = document(params);
    const Range range = range_in(params);
    Places places(*this, at.program);
    Json out = Json::array();
    for (const Diagnostic& each : at.program.diagnostics) {
      if (each.span.source != at.source || each.replacement.empty()) continue;
      const Range place = places.range(each.span);
      if (place.end < range.start || range.end < place.start) continue;
      const std::string title = language_ == Language::Chinese
                                    ? "改为 `" + each.replacement + "`"
                                    : "change to `" + each.replacement + "`";
      Json edit{{"range", to_json(place)}, {"newText", each.replacement}};
      out.push_back(
          {{"title", title},
           {"kind", "quickfix"},
           {"isPreferred", true},
           {"diagnostics", Json::array({told(each, places)})},
           {"edit", {{"changes", {{uri(at.program.paths[at.source]), Json::array({edit})}}}}}});
    }
    return out;
  }

  // --- Names -------------------------------------------------------------------------------------

  Json completion(const Json& params) {
    const Document at = document(params, /*at_hand=*/true);
    const std::uint32_t offset = at.offset(params);
    const auto text = at.program.sources[at.source].text();
    const Json range = to_json(at.lines.range(word_begin(text, offset), offset));
    Json items = Json::array();
    const auto candidates = candidates_at(at.program, at.source, offset, language_);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Candidate& each = candidates[i];
      std::string order = std::to_string(i);
      order.insert(0, 6 - std::min<std::size_t>(order.size(), 6), '0');
      items.push_back({{"label", each.text},
                       {"kind", completion_kind(each.kind)},
                       {"detail", each.detail},
                       {"sortText", order},
                       {"textEdit", {{"range", range}, {"newText", each.text}}}});
    }
    return {{"isIncomplete", false}, {"items", std::move(items)}};
  }

  Json hover(const Json& params) {
    const Document at = document(params);
    const auto found = hover_at(at.program, at.source, at.offset(params), language_);
    if (!found) return nullptr;
    return {{"contents", {{"kind", "markdown"}, {"value", found->text}}},
            {"range", to_json(at.lines.range(found->span.begin, found->span.end))}};
  }

  Json definition(const Json& params) {
    const Document at = document(params);
    Json out = Json::array();
    Places places(*this, at.program);
    if (const auto meant = meant_at(at.program, at.source, at.offset(params), language_))
      for (const SourceSpan& named : meant->named) out.push_back(places.location(named));
    return out;
  }

  // Where the name at the place is written, each place once.
  std::vector<SourceSpan> written(const Document& at, const Json& params, bool declarations) {
    std::vector<SourceSpan> out;
    const auto meant = meant_at(at.program, at.source, at.offset(params), language_);
    if (!meant) return out;
    for (const auto& use : uses_of(at.program, meant->named, language_)) {
      if (!declarations && use.written == use.named) continue;
      if (out.empty() || out.back() != use.written) out.push_back(use.written);
    }
    return out;
  }

  Json references(const Json& params) {
    const Document at = document(params);
    const Json& wanted = member(member(params, "context"), "includeDeclaration");
    Json out = Json::array();
    Places places(*this, at.program);
    for (const SourceSpan& span : written(at, params, !wanted.is_boolean() || wanted.get<bool>()))
      out.push_back(places.location(span));
    return out;
  }

  Json highlight(const Json& params) {
    const Document at = document(params);
    Json out = Json::array();
    for (const SourceSpan& span : written(at, params, true))
      if (span.source == at.source)
        out.push_back({{"range", to_json(at.lines.range(span.begin, span.end))}});
    return out;
  }

  Json prepare_rename(const Json& params) {
    const Document at = document(params);
    const auto span = renameable_at(at.program, at.source, at.offset(params), language_);
    if (!span) return nullptr;
    return to_json(at.lines.range(span->begin, span->end));
  }

  Json rename(const Json& params) {
    const Document at = document(params);
    const auto edits =
        renamed(at.program, at.source, at.offset(params), text_in(params, "newName"), language_);
    if (!edits) throw Failure{RequestFailed, edits.error().what};
    Json changes = Json::object();
    Places places(*this, at.program);
    for (const Edit& edit : *edits)
      changes[uri(at.program.paths[edit.span.source])].push_back(
          {{"range", to_json(places.range(edit.span))}, {"newText", edit.text}});
    return {{"changes", std::move(changes)}};
  }

  // --- The whole text ----------------------------------------------------------------------------

  // What has changed, by whole lines, so that the cursor stays where it is.
  Json formatting(const Json& params) {
    const Document at = document(params);
    const Source& source = at.program.sources[at.source];
    const auto formatted = format::format(source, at.source, language_);
    const std::string_view before = source.text(), after = formatted.text;
    if (!formatted.done || before == after) return Json::array();
    std::size_t same = 0, line = 0;
    while (same < before.size() && same < after.size() && before[same] == after[same])
      if (before[same++] == '\n') line = same;
    std::size_t tail = 0, whole = 0;
    while (tail < before.size() - line && tail < after.size() - line &&
           before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
      if (before[before.size() - 1 - tail] == '\n') whole = tail;
      ++tail;
    }
    const Range range = at.lines.range(static_cast<std::uint32_t>(line),
                                       static_cast<std::uint32_t>(before.size() - whole));
    return Json::array(
        {{{"range", to_json(range)},
          {"newText", std::string(after.substr(line, after.size() - whole - line))}}});
  }

  Json document_symbols(const Json& params) {
    const Document at = document(params, /*at_hand=*/true);
    Json out = Json::array();
    for (const Symbol& each : symbols_of(at.program.trees[at.source])) {
      Json symbol{{"name", each.name.empty() ? "\"\"" : each.name},
                  {"kind", symbol_kind(each.kind)},
                  {"range", to_json(at.lines.range(each.whole.begin, each.whole.end))},
                  {"selectionRange", to_json(at.lines.range(each.named.begin, each.named.end))}};
      if (!each.alias.empty()) symbol["detail"] = each.alias;
      Json* into = &out;
      for (std::size_t depth = 0; depth < each.depth && !into->empty(); ++depth)
        into = &into->back()["children"];
      into->push_back(std::move(symbol));
    }
    return out;
  }

  Language language_;
  std::string version_;
  std::function<void(std::string)> send_;
  Workspace workspace_;
  std::deque<Queued> queue_;
  std::map<std::string, Open> open_;         // by path
  std::map<std::string, std::string> told_;  // diagnostics as they were told, by path
  bool initialized_ = false, shut_down_ = false, can_watch_ = false, news_ = false;
  std::optional<int> ended_;
};

Server::Server(Language language, std::string version, std::function<void(std::string)> send)
    : impl_(std::make_unique<Impl>(language, std::move(version), std::move(send))) {}
Server::~Server() = default;
void Server::take(std::string_view message) { impl_->take(message); }
void Server::fault(std::string_view why) { impl_->fault(why); }
bool Server::step() { return impl_->step(); }
bool Server::tell_diagnostics() { return impl_->tell_diagnostics(); }
bool Server::has_news() const { return impl_->has_news(); }
std::optional<int> Server::ended() const { return impl_->ended(); }

}  // namespace koi::lsp
