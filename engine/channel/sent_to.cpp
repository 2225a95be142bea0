#include "channel/sent_to.h"

#include <algorithm>

#include "channel/delivery_json.h"

namespace koi::channel {

namespace {
constexpr std::size_t key_letters = 32;
}

std::string to_string(const SentTo& sent) {
  std::string text;
  for (const auto& [who, key] : sent) text.append(to_hex(key)).append(who) += '\n';
  return text;
}

SentTo read_sent_to(std::string_view text) {
  SentTo sent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (const auto key = key_from_hex(line.substr(0, std::min(key_letters, line.size()))))
      sent.emplace_back(line.substr(key_letters), *key);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return sent;
}

asio::awaitable<void> note_sent(Tools tools, std::string number, SentTo sent, Timestamp until) {
  Note note{number, to_string(sent), until};
  const auto kept = co_await tools.notes->keep(std::move(note));
  if (!kept)
    tools.log(Level::Warning, "which deliveries message " + number +
                                  " was will not be known after a restart: " + kept.error().what);
}

}  // namespace koi::channel
