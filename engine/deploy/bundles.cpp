#include "deploy/bundles.h"

#include <algorithm>
#include <utility>

#include "base/diagnostic.h"
#include "base/source.h"
#include "check/check.h"
#include "compile/compile.h"
#include "deploy/files.h"
#include "lang/diagnostics.h"
#include "lang/parse.h"
#include "model/codec.h"

namespace koi::deploy {

namespace {

constexpr std::string_view bundle_mark = "koi bundle ";
constexpr std::uint8_t bundle_version = 1;
// A program of a hundred of the longest files.
constexpr std::size_t longest_bundle = 100 * lang::most_bytes;

Error corrupt(const std::filesystem::path& file, std::string_view how) {
  return {"corrupt", file.string() + " is damaged (" + std::string(how) +
                         "); put it back from a backup: inputs of the journal can only be read "
                         "with the rules in it"};
}

bool is_program(const Bundle::File& file) { return file.name.ends_with(".koi"); }

// What stands beside that file of the program and is called so.
std::optional<std::string> beside(const Bundle& bundle, std::string_view source,
                                  const std::string& name) {
  const auto wanted = name_beside(source, name);
  for (const Bundle::File& file : bundle.files)
    if (wanted && !is_program(file) && file.name == *wanted) return file.text;
  return std::nullopt;
}

}  // namespace

std::optional<std::string> name_beside(std::string_view source, std::string_view name) {
  namespace fs = std::filesystem;
  const fs::path path = fs::path(name).lexically_normal();
  if (path.empty() || path.is_absolute() || *path.begin() == "..") return std::nullopt;
  return (fs::path(source).parent_path() / path).lexically_normal().generic_string();
}

std::string encode(const Bundle& bundle) {
  ByteWriter out;
  out.fixed64(bundle.seed);
  out.unsigned_(bundle.files.size());
  for (const Bundle::File& file : bundle.files) {
    out.text(file.name);
    out.text(file.text);
  }
  return std::string(bundle_mark) + static_cast<char>('0' + bundle_version) + "\n" + out.take();
}

Hash128 name_of(const Bundle& bundle) { return hash128(encode(bundle)); }

namespace {

// May what was live be read though this is wrong with it?
bool was_once_allowed(const Diagnostic& diagnostic) {
  return diagnostic.code == lang::entry(lang::Code::CodesMeet).text;
}

Result<plan::Plan> compiled(const Bundle& bundle, bool was_live) {
  std::vector<Source> sources;
  std::vector<Diagnostic> diagnostics;
  std::vector<lang::ast::File> trees;
  for (const Bundle::File& file : bundle.files)
    if (is_program(file)) sources.emplace_back(file.name, file.text);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    lang::Parsed parsed = lang::parse(sources[i], static_cast<std::uint32_t>(i), Language::English);
    std::move(parsed.diagnostics.begin(), parsed.diagnostics.end(),
              std::back_inserter(diagnostics));
    trees.push_back(std::move(parsed.file));
  }
  check::Checked checked = check::check(trees, Language::English, nullptr,
                                        [&](std::uint32_t source, const std::string& name) {
                                          return beside(bundle, sources[source].path(), name);
                                        });
  std::move(checked.diagnostics.begin(), checked.diagnostics.end(),
            std::back_inserter(diagnostics));
  for (const Diagnostic& diagnostic : diagnostics)
    if (diagnostic.severity == Severity::Error && !(was_live && was_once_allowed(diagnostic)))
      return Error{"rules", "bundle " + to_hex(name_of(bundle)) +
                                " is no program for this version of Koi:\n" +
                                render(diagnostic, sources, Language::English)};
  for (const check::Audience& audience : checked.program.audiences)
    if (audience.is_missing)
      return Error{"rules", "the file `" + audience.file + "` of the audience `" +
                                audience.symbol.name + "` is not there; put it beside the rules"};
  plan::Plan plan = compile::compile(checked.program, bundle.seed);
  for (const plan::Incentive& incentive : plan.incentives)
    if (const auto* packet = std::get_if<plan::RedPacket>(&incentive.what))
      if (packet->how != plan::RedPacket::How::Group && packet->pay_via.is_none())
        return Error{"rules", "nobody pays the red packet `" + incentive.symbol.name +
                                  "`: say by which channel, `pay via CHANNEL`, before a server "
                                  "gives it"};
  return plan;
}

}  // namespace

Result<plan::Plan> compile(const Bundle& bundle) { return compiled(bundle, false); }
Result<plan::Plan> compile_former(const Bundle& bundle) { return compiled(bundle, true); }

std::filesystem::path Bundles::file_of(Hash128 name) const {
  return folder_ / (to_hex(name) + ".bundle");
}

Result<Hash128> Bundles::keep(const Bundle& bundle) const {
  const std::string bytes = encode(bundle);
  const Hash128 name = hash128(bytes);
  KOI_TRY(make_folder(folder_));
  KOI_LET(const auto known, read_whole(file_of(name), longest_bundle));
  if (known && *known == bytes) return name;
  if (known) return corrupt(file_of(name), "its bytes are not those that its name says");
  KOI_TRY(write_whole(file_of(name), bytes));
  return name;
}

Result<Bundle> Bundles::read(Hash128 name) const {
  const auto file = file_of(name);
  KOI_LET(const auto bytes, read_whole(file, longest_bundle));
  if (!bytes)
    return Error{"missing", file.string() +
                                " is not there; put it back from a backup: inputs of "
                                "the journal can only be read with the rules in it"};
  if (hash128(*bytes) != name) return corrupt(file, "its bytes are not those that its name says");
  std::string_view rest = *bytes;
  if (!rest.starts_with(bundle_mark) || rest.size() < bundle_mark.size() + 2 ||
      rest[bundle_mark.size() + 1] != '\n')
    return corrupt(file, "it does not begin as a bundle does");
  if (rest[bundle_mark.size()] != static_cast<char>('0' + bundle_version))
    return Error{"newer", file.string() + " was written by a later version of Koi; start that one"};
  rest.remove_prefix(bundle_mark.size() + 2);
  ByteReader in(rest);
  Bundle bundle;
  bundle.seed = in.fixed64();
  for (std::size_t left = in.count(2); left > 0; --left) {
    std::string called(in.text());
    bundle.files.push_back({std::move(called), std::string(in.text())});
  }
  if (!in.ok() || !in.at_end()) return corrupt(file, "its bytes make no bundle");
  return bundle;
}

}  // namespace koi::deploy
