// Sent: what each message was, for the links in it that lead back to us. Everything in it but the
// secret follows from the journal, and old messages are dropped. One SQLite file of a data
// directory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "store/directory.h"

namespace koi::store {

// How a message is found: when it was decided, in seconds, so that what is written together stands
// together; and half of its key.
struct SentName {
  std::uint32_t second = 0;
  std::uint64_t half = 0;
  friend auto operator<=>(const SentName&, const SentName&) = default;
};

struct SentMessage {
  Timestamp time;  // when it was decided
  Hash128 key;
  std::string customer, channel, campaign, content, link;
  SentName name() const;
  friend bool operator==(const SentMessage&, const SentMessage&) = default;
};

// Thread-safe.
class Sent {
 public:
  // Opens the directory's file or makes it. Errors as Identifiers::open.
  static Result<std::unique_ptr<Sent>> open(const Directory& directory);
  ~Sent();

  // Adds them all, or none; they are there after a kill of the process, and after a power cut once
  // the file was synced. The same again is one.
  Result<void> add(std::span<const SentMessage> messages);
  Result<std::optional<SentMessage>> find(SentName name) const;
  // Drops those decided before that.
  Result<void> drop(Timestamp before);

  // 32 bytes by chance, made with the file: what links are signed with.
  const std::string& secret() const;

 private:
  class Impl;
  explicit Sent(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::store
