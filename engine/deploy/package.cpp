#include "deploy/package.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "deploy/meaning.h"
#include "plan/listing.h"

namespace koi::deploy {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view package_mark = "koib 2\n", older_package_mark = "koib 1\n";
constexpr std::uint64_t seed_of_tests = 1;
constexpr std::size_t length_bytes = 8, hash_bytes = 32;

std::string manifest_of(const Package& package) {
  Json files = Json::array(), tests = Json::array();
  for (const Bundle::File& file : package.files)
    files.push_back({{"name", file.name}, {"bytes", file.text.size()}});
  for (const Package::Test& test : package.tests)
    tests.push_back({{"name", test.name}, {"passed", test.passed}});
  const Json all = {{"koi", "package"},
                    {"version", 2},
                    {"files", std::move(files)},
                    {"campaigns", package.campaigns},
                    {"plan", package.plan.size()},
                    {"tests", std::move(tests)},
                    {"coverage",
                     {{"seen", package.coverage.seen},
                      {"of", package.coverage.of},
                      {"unseen", package.coverage.unseen}}}};
  return all.dump() + "\n";
}

// All but the signatures.
std::string content_of(const Package& package) {
  const std::string manifest = manifest_of(package);
  std::string out(package_mark);
  for (std::size_t i = 0; i < length_bytes; ++i)
    out += static_cast<char>(manifest.size() >> (8 * i) & 0xff);
  out += manifest;
  for (const Bundle::File& file : package.files) out += file.text;
  out += package.plan;
  return out + sha256(out);
}

std::string to_be_signed(std::string_view hash) {
  return std::string(package_mark) + std::string(hash);
}

// Takes bytes from the front; what is not there makes all of it fail.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : rest_(bytes) {}
  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(count));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// The manifest's part of a package, and how long the texts are that are left out: of the files, and
// of the plan behind them. Nothing where it is none.
std::optional<std::pair<Package, std::vector<std::uint64_t>>> read_manifest(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto list = [&](const char* name) -> Json {
    const auto found = json.find(name);
    return found != json.end() && found->is_array() ? *found : Json::array();
  };
  const auto string = [](const Json& of, const char* name) {
    const auto found = of.is_object() ? of.find(name) : of.end();
    return of.is_object() && found != of.end() && found->is_string() ? found->get<std::string>()
                                                                     : std::string();
  };
  Package package;
  std::vector<std::uint64_t> sizes;
  for (const Json& file : list("files")) {
    package.files.push_back({string(file, "name"), {}});
    const auto bytes = file.is_object() ? file.find("bytes") : file.end();
    if (!file.is_object() || bytes == file.end() || !bytes->is_number_unsigned())
      return std::nullopt;
    sizes.push_back(bytes->get<std::uint64_t>());
  }
  for (const Json& campaign : list("campaigns"))
    package.campaigns.push_back(campaign.is_string() ? campaign.get<std::string>() : "");
  for (const Json& test : list("tests")) {
    const auto passed = test.is_object() ? test.find("passed") : test.end();
    if (!test.is_object() || passed == test.end() || !passed->is_boolean()) return std::nullopt;
    package.tests.push_back({string(test, "name"), passed->get<bool>()});
  }
  const auto plan = json.find("plan");
  if (plan == json.end() || !plan->is_number_unsigned()) return std::nullopt;
  sizes.push_back(plan->get<std::uint64_t>());
  const auto coverage = json.find("coverage");
  if (coverage == json.end() || !coverage->is_object()) return std::nullopt;
  for (const auto& [name, into] :
       {std::pair("seen", &package.coverage.seen), std::pair("of", &package.coverage.of)}) {
    const auto found = coverage->find(name);
    if (found == coverage->end() || !found->is_number_unsigned()) return std::nullopt;
    *into = found->get<std::uint64_t>();
  }
  const auto unseen = coverage->find("unseen");
  if (unseen == coverage->end() || !unseen->is_array()) return std::nullopt;
  for (const Json& each : *unseen)
    package.coverage.unseen.push_back(each.is_string() ? each.get<std::string>() : "");
  return std::pair(std::move(package), std::move(sizes));
}

}  // namespace

std::string plan_text(const plan::Plan& plan) {
  std::string text = plan::listing(plan);
  // The listing is for people: it has no room for everything that a campaign says.
  Meaning meaning(plan);
  for (const plan::Campaign& campaign : plan.campaigns)
    text += campaign.symbol.name + " " + std::to_string(meaning.version_of(campaign)) + "\n";
  return text;
}

Result<void> check_plan(const Package& package) {
  KOI_LET(const plan::Plan plan, compile(Bundle{seed_of_tests, package.files}));
  if (plan_text(plan) == package.plan) return {};
  return Error{"plan",
               "this version of Koi makes another plan of the bundle's files than the one that its "
               "tests were run with; build it again with this version"};
}

std::string content_hash(const Package& package) {
  const std::string content = content_of(package);
  return hex_of(std::string_view(content).substr(content.size() - hash_bytes));
}

std::string encode(const Package& package) {
  KOI_ASSERT(package.signatures.size() <= most_signatures);
  std::string out = content_of(package);
  out += static_cast<char>(package.signatures.size());
  for (const Signature& signature : package.signatures) out += signature.key + signature.bytes;
  return out;
}

Result<Package> decode_package(std::string_view bytes, std::string_view name) {
  const auto corrupt = [&](std::string_view how) {
    return Error{"corrupt", std::string(name) + " is no whole bundle (" + std::string(how) +
                                "); build it again with `koi build`"};
  };
  Taker in(bytes);
  const std::string_view begin = in.take(package_mark.size());
  if (begin.size() == package_mark.size() && begin.starts_with("koib ") && begin != package_mark &&
      begin.back() == '\n')
    return begin == older_package_mark
               ? Error{"older", std::string(name) +
                                    " was built by an earlier version of Koi; build it again"}
               : Error{"newer", std::string(name) + " was built by a later version of Koi"};
  if (begin != package_mark) return corrupt("it does not begin as one");
  std::uint64_t length = 0;
  const std::string_view length_text = in.take(length_bytes);
  for (std::size_t i = length_text.size(); i > 0; --i)
    length = length << 8 | static_cast<unsigned char>(length_text[i - 1]);
  auto read = read_manifest(in.take(length));
  if (!in.ok() || !read) return corrupt("its manifest cannot be read");
  auto& [package, sizes] = *read;
  for (std::size_t i = 0; i < package.files.size(); ++i) package.files[i].text = in.take(sizes[i]);
  package.plan = in.take(sizes.back());
  const std::string_view hash = in.take(hash_bytes);
  const std::string_view count = in.take(1);
  if (!in.ok()) return corrupt("it ends too early");
  for (auto left = static_cast<unsigned char>(count.front()); left > 0; --left) {
    std::string key(in.take(key_bytes));
    package.signatures.push_back({std::move(key), std::string(in.take(signature_bytes))});
    if (!in.ok()) return corrupt("it ends too early");
  }
  if (package.signatures.size() > most_signatures || !in.at_end())
    return corrupt("it goes on behind its end");
  // One way to write each package: whatever else the manifest's JSON might say is refused here.
  if (encode(package) != bytes) return corrupt("its content has another hash");
  for (std::size_t i = 0; i < package.signatures.size(); ++i) {
    if (i > 0 && package.signatures[i - 1].key >= package.signatures[i].key)
      return corrupt("its signatures are not in order");
    if (!is_good(package.signatures[i], to_be_signed(hash)))
      return corrupt("a signature in it is not of its content");
  }
  return std::move(package);
}

Result<void> sign(Package& package, std::string_view private_key) {
  const std::string content = content_of(package);
  KOI_LET(Signature made,
          sign(private_key,
               to_be_signed(std::string_view(content).substr(content.size() - hash_bytes))));
  std::erase_if(package.signatures, [&](const Signature& each) { return each.key == made.key; });
  if (package.signatures.size() == most_signatures)
    return Error{"key", "it has " + std::to_string(most_signatures) + " signatures; no more fit"};
  package.signatures.push_back(std::move(made));
  std::sort(package.signatures.begin(), package.signatures.end());
  return {};
}

Result<std::vector<std::string>> signed_by(const Package& package, const KeyRing& ring) {
  if (package.signatures.empty())
    return Error{"unsigned",
                 "the bundle is not signed, and only signed ones are taken here; "
                 "`koi build … --sign KEY`"};
  std::vector<std::string> names;
  for (const Signature& signature : package.signatures)
    if (const std::string* owner = ring.owner_of(signature.key)) names.push_back(*owner);
  if (names.empty())
    return Error{"stranger",
                 "the bundle is signed by nobody whose key is in this server's key ring"};
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace koi::deploy
