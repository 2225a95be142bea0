// The contract of a connector: it carries one delivery to a provider and says what came of it. When
// to try, how often and what then follows is the outbox's business. docs/adding-a-connector.md
// shows how to write one.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "channel/notebook.h"
#include "channel/settings.h"
#include "model/delivery.h"
#include "model/receipt.h"
#include "net/client.h"
#include "net/server.h"

namespace koi::channel {

// What came of an attempt. `why` goes into logs: it says what the provider said in words that hold
// no secret, no address of a person and no text of a message.

// The provider has it, for good.
struct Done {};

// It will never have it. Credentials and Quota are not the message's fault: they hold the whole
// channel, and its messages wait until their `not_after`.
struct Refused {
  Failure failure = Failure::BadContent;
  std::string why;
};

// It has surely not taken it, and may later.
struct Deferred {
  std::optional<Duration> wait;  // as it asked for; none: the outbox backs off
  bool throttled = false;        // it asked the whole channel to slow down
  std::string why;
  bool of_person = false;  // it is this person whom it cannot serve now: the channel itself is well
};

// It may or may not have it (no answer came, or none that can be read).
struct Unknown {
  std::string why;
};

// It has it, and what becomes of it is not yet said: a carrier will report, a person must confirm a
// transfer or open a packet, a member of staff must press a button. `receive` will hear it, and who
// can be asked is asked now and then. Unheard when `within` is over it is unknown.
struct Pending {
  Duration within;
  Duration ask_again = minutes(10);  // where it `CanBeAsked`
  std::string
      confirm_with;  // what the person's app needs to confirm it; for him alone, never logged
  std::string why;   // what it waits for
};

using Outcome = std::variant<Unknown, Done, Refused, Deferred, Pending>;
std::string to_string(const Outcome& outcome);  // "refused (bad_content): …", for logs

// What may be done where an attempt's outcome is unknown.
enum class Repeat : std::uint8_t {
  Recognised,  // deliver again: the provider recognises a key that it has seen
  CanBeAsked,  // `ask` first
  Neither,     // nothing: it may not be attempted twice
};
std::string_view name_of(Repeat repeat);  // "recognises a key again", …

// What the platform lets a person be sent, as a clause of the rules says it: the gate holds it, so
// that whoever decides knows of it before anything is sent (docs/language.md, Channels).
struct PerPerson {
  std::string_view what;       // messages of which kind
  std::string_view clause;     // "open 48 hours after replied up to 5"
  std::string_view form = {};  // of what goes out by this form alone; empty: of everything
};

// In what a provider counts how long a text is.
enum class Unit : std::uint8_t {
  Bytes,
  Characters,
  Utf16,     // units of two bytes
  Segments,  // text messages as charged: one of 70 UTF-16 units, more of 67 each
};
std::string_view name_of(Unit unit);  // "bytes", …

// How long what the person reads may be. The outbox refuses what is longer, and `koi check --env`
// says so beforehand; a connector looks at no length.
struct Length {
  enum class Of : std::uint8_t {
    Title,
    Body,
    Link,
    Whole,        // title, body and link one under the other
    BodyAndLink,  // with a blank between them, behind what the provider sets before them
  };
  Of of = Of::Whole;
  Unit unit = Unit::Bytes;
  std::uint64_t most = 0;
  std::string_view most_is = {};  // the setting whose number it is instead
};
std::string_view name_of(Length::Of of);  // "its title", …

// How many the provider takes of one account.
struct Amount {
  enum class Per : std::uint8_t { Second, Minute, Hour, Day };  // a day of Capabilities::zone
  enum class Of : std::uint8_t { Requests, Messages };  // one request may carry several messages
  std::uint64_t most = 0;
  Per per = Per::Second;
  Of of = Of::Requests;
};
std::string_view name_of(Amount::Per per);  // "second", …

enum class Format : std::uint8_t {
  Text,      // title, body and link as one plain text
  Mail,      // a subject, and a text with a page beside it
  Template,  // a text that the provider has approved; a title is not sent
  Data,      // all of it, for a program
  Payment,   // money, with a word to it
  Tag,       // what a `call` gives
};
std::string_view name_of(Format format);  // "plain text", …

// One way in which a connector sends, with what the provider takes of what goes so.
struct Form {
  std::string_view name;  // such as "template"; empty where there is one alone
  Format format = Format::Data;
  std::span<const Length> lengths = {};
  std::span<const Amount> amounts = {};
};

struct Capabilities {
  Repeat repeat = Repeat::Neither;
  std::uint32_t at_once = 64;  // deliveries under way at the same time
  bool receives = false;       // it has a callback address
  bool replies = false;        // it can answer what was written there (Delivery::reply_to)
  std::span<const PerPerson> per_person = {};
  std::span<const Form> forms = {};      // none: one, of data, without limits
  std::span<const Amount> amounts = {};  // of all forms together
  std::string_view zone = {};            // in which its day begins; empty: that of the rules
};

// How a content goes out: by which of the forms, and what the provider sets before its text.
struct Way {
  std::string_view form;
  std::string before = {};
};
// Of a content, or of an answer to what was written there (Delivery::reply_to).
using WayOf = std::function<Way(std::string_view content, bool is_answer)>;

enum class Level : std::uint8_t { Info, Warning, Problem };

// What a connector is given. All of it outlives the connector.
struct Tools {
  asio::any_io_executor executor;  // of the one thread on which coroutines of a connector run
  net::Client* http = nullptr;
  std::function<Timestamp()> now;
  std::function<void(Level, std::string_view)> log;
  Notebook* notes = nullptr;  // its own; null for types that keep nothing
};

// --- What a provider tells by itself: at a callback address, or where it can be looked up

// What somebody did on the channel: an event of his.
struct Told {
  std::string id;    // made of the provider's own ids, so that what is told twice is one event
  std::string type;  // one of the engine's, such as "unsubscribed", or one that rules may declare
  Timestamp time;
  std::string person;  // as the channel's addresses name him
  std::vector<std::pair<std::string, std::string>> fields;
};

// What became of a delivery.
struct Report {
  Hash128 key;
  Failure failure = Failure::None;  // None: delivered
};

struct Received {
  net::Answer answer;  // of a callback, once the events are durable; until then the provider waits
  std::vector<Told> events;
  std::vector<Report> reports;
  std::function<void()> kept;  // called once the events are durable; may be empty
};
// An answer in plain text, and nothing else.
Received answered(int status, std::string text);

// The batch form of a connector: like messages that one request carries.
struct Together {
  std::size_t most = 1;  // in one request; 1: there is no batch form
  Duration within;       // the first of them waits so long for others
};

class MakesCodes;  // codes.h

class Connector {
 public:
  virtual ~Connector() = default;

  // One attempt. It may be cancelled (asio::cancellation_type::terminal) and then ends at once.
  // What it throws counts as unknown. Several run at the same time.
  virtual asio::awaitable<Outcome> deliver(Delivery delivery) = 0;

  // Messages for which `alike` says the same, and not nothing, are gathered up to `most` and
  // `within`, each address once, and are then one attempt; one that stays alone goes by `deliver`.
  // `together` does not change. Outcomes are in the order of the deliveries, one for each; one that
  // is missing counts as unknown.
  virtual Together together() const { return {}; }
  virtual std::string alike(const Delivery& delivery) const;
  virtual asio::awaitable<std::vector<Outcome>> deliver_together(std::vector<Delivery> deliveries);

  // For how long the provider may still report on a delivery that it has, in whatever life of this
  // process; zero: it does not. Of use where it can neither be asked nor recognises a key: what was
  // attempted before a restart is then waited for so long, and not at once unknown.
  virtual Duration reports_for(const Delivery& delivery) const;

  // What became of the delivery of that key; Deferred where the provider does not know it, which
  // must be sure. Only where `CanBeAsked` is declared.
  virtual asio::awaitable<Outcome> ask(Hash128 key);

  // A request to the channel's callback address. Anybody can send one: nothing is believed before
  // its signature, or whatever the provider has instead, is verified. Quick: providers wait a few
  // seconds, and then it is cancelled. Only where the type `receives`.
  virtual asio::awaitable<Received> receive(net::Asked asked);

  // Looks up what the provider has to tell, every so often; zero: there is nothing to look up.
  // Where `kept` is not called, the same is to be told again.
  virtual Duration look_every() const { return {}; }
  virtual asio::awaitable<Received> look();

  // Who makes codes to scan; null where the provider has none. As long as the connector lives.
  virtual MakesCodes* codes() { return nullptr; }
};

struct ConnectorType {
  std::string_view name;  // as the environment file says it, and its folder
  std::string_view summary;
  std::span<const Setting> settings;
  Capabilities capabilities;
  // Opens what it needs and checks it. An error names the thing and the remedy.
  Result<std::unique_ptr<Connector>> (*open)(const Settings& settings, Tools tools) = nullptr;
  // How contents go out under these settings, which are not checked yet and whose secrets may be
  // missing here; null: all by the first of its forms.
  Result<WayOf> (*way_of)(const Given& given) = nullptr;
};

// The connectors that are built in, by name. Written by CMake (connectors/CMakeLists.txt).
using ConnectorTypes = std::span<const ConnectorType* const>;
const ConnectorType* find(ConnectorTypes types, std::string_view name);  // or null

}  // namespace koi::channel
