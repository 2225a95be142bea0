#include "channel/connector.h"

#include "base/assert.h"

namespace koi::channel {

namespace {
struct Say {
  std::string operator()(const Unknown& o) const { return with("unknown", o.why); }
  std::string operator()(const Done&) const { return "done"; }
  std::string operator()(const Refused& o) const {
    return with("refused (" + std::string(koi::name_of(o.failure)) + ")", o.why);
  }
  std::string operator()(const Deferred& o) const {
    return with(o.wait ? "deferred for " + koi::to_string(*o.wait) : "deferred", o.why);
  }
  std::string operator()(const Pending& o) const {
    return with("pending for " + koi::to_string(o.within), o.why);
  }
  static std::string with(const std::string& what, const std::string& why) {
    return why.empty() ? what : what + ": " + why;
  }
};
}  // namespace

std::string to_string(const Outcome& outcome) { return std::visit(Say{}, outcome); }

std::string_view name_of(Repeat repeat) {
  switch (repeat) {
    case Repeat::Recognised: return "recognises a key again";
    case Repeat::CanBeAsked: return "can be asked";
    case Repeat::Neither: return "neither";
  }
  KOI_ASSERT(false);
}

std::string_view name_of(Unit unit) {
  switch (unit) {
    case Unit::Bytes: return "bytes";
    case Unit::Characters: return "characters";
    case Unit::Utf16: return "UTF-16 units";
    case Unit::Segments: return "text messages";
  }
  KOI_ASSERT(false);
}

std::string_view name_of(Length::Of of) {
  switch (of) {
    case Length::Of::Title: return "its title";
    case Length::Of::Body: return "its body";
    case Length::Of::Link: return "its link";
    case Length::Of::Whole:
    case Length::Of::BodyAndLink: return "its text";
  }
  KOI_ASSERT(false);
}

std::string_view name_of(Amount::Per per) {
  switch (per) {
    case Amount::Per::Second: return "second";
    case Amount::Per::Minute: return "minute";
    case Amount::Per::Hour: return "hour";
    case Amount::Per::Day: return "day";
  }
  KOI_ASSERT(false);
}

std::string_view name_of(Format format) {
  switch (format) {
    case Format::Text: return "plain text";
    case Format::Mail: return "a mail of text and page";
    case Format::Template: return "an approved template";
    case Format::Data: return "data for a program";
    case Format::Payment: return "money";
    case Format::Tag: return "tags";
  }
  KOI_ASSERT(false);
}

asio::awaitable<Outcome> Connector::ask(Hash128) {
  KOI_ASSERT(!"a connector that declares CanBeAsked has an `ask` of its own");
  co_return Unknown{};
}

std::string Connector::alike(const Delivery&) const { return {}; }

Duration Connector::reports_for(const Delivery&) const { return {}; }

asio::awaitable<std::vector<Outcome>> Connector::deliver_together(std::vector<Delivery>) {
  KOI_ASSERT(!"a connector that says how many go together has a `deliver_together` of its own");
  co_return std::vector<Outcome>{};
}

asio::awaitable<Received> Connector::receive(net::Asked) {
  co_return answered(404, "this channel has no callback");
}

asio::awaitable<Received> Connector::look() { co_return Received{}; }

Received answered(int status, std::string text) {
  Received received;
  received.answer.status = status;
  received.answer.content_type = "text/plain; charset=utf-8";
  received.answer.body = std::move(text);
  return received;
}

const ConnectorType* find(ConnectorTypes types, std::string_view name) {
  for (const ConnectorType* type : types)
    if (type->name == name) return type;
  return nullptr;
}

}  // namespace koi::channel
