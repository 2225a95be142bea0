#include "channel/opt_out.h"

#include <algorithm>
#include <array>
#include <string>

namespace koi::channel {

namespace {
// Chinese carriers ask senders to honour T, TD, R and N; the English words are those of the CTIA's
// Messaging Principles.
constexpr std::array<std::string_view, 18> words{
    "T",    "TD",      "R",    "N",   "退订",   "拒收",        "取消订阅", "不要",   "退",
    "STOP", "STOPALL", "QUIT", "END", "CANCEL", "UNSUBSCRIBE", "REVOKE",   "OPTOUT", "OPT-OUT"};
constexpr std::array<std::string_view, 9> around{" ", "\t", "\r", "\n", ".", "!", "。", "！", "　"};
}  // namespace

bool is_opt_out(std::string_view text) {
  for (bool cut = true; cut;) {
    cut = false;
    for (const std::string_view one : around) {
      if (!text.empty() && text.starts_with(one)) text.remove_prefix(one.size()), cut = true;
      if (!text.empty() && text.ends_with(one)) text.remove_suffix(one.size()), cut = true;
    }
  }
  if (text.size() > 20) return false;
  std::string word(text);
  for (char& c : word)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace koi::channel
