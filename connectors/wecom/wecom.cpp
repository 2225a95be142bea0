// Wecom: messages of an enterprise account: to customers and to customer groups, as group-send
// tasks that a member of staff taps, and to staff, as messages of an application; its codes and its
// tags. The platform lends a token for each secret, which is kept and renewed. It knows no key.
#include <algorithm>
#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "base/hash.h"
#include "base/json.h"
#include "channel/codes.h"
#include "channel/connector.h"
#include "channel/delivery_json.h"
#include "channel/limits.h"
#include "channel/push_crypt.h"
#include "channel/sent_to.h"
#include "channel/token_cache.h"
#include "channel/xml.h"
#include "json_text.h"
#include "tag_call.h"
#include "wecom/codes.h"
#include "wecom/inbound.h"
#include "wecom/tagging.h"
#include "wecom/tasks.h"

namespace koi::connectors {

using namespace channel;

namespace {

using Json = nlohmann::json;

// https://developer.work.weixin.qq.com/document/path/92135 and 90454
constexpr std::array per_person{
    PerPerson{"group-send tasks", "cap CHANNEL 31 per calendar month", "customers"},
    PerPerson{"messages to the staff", "cap CHANNEL 30 per minute", "staff"}};
constexpr std::array amounts{Amount{10'000, Amount::Per::Minute, Amount::Of::Requests},
                             Amount{150'000, Amount::Per::Hour, Amount::Of::Requests}};
constexpr std::array customer_lengths{Length{.unit = Unit::Bytes, .most = 4000}};
constexpr std::array staff_lengths{Length{.unit = Unit::Bytes, .most = 2048}};
constexpr std::array forms{
    Form{.name = "customers", .format = Format::Text, .lengths = customer_lengths},
    Form{.name = "staff", .format = Format::Text, .lengths = staff_lengths},
    Form{.name = "groups", .format = Format::Text, .lengths = customer_lengths},
    Form{.name = "tags", .format = Format::Tag},
};
constexpr std::array<std::string_view, 4> kinds{"customers", "staff", "groups", "tags"};
constexpr std::array settings{
    Setting{.name = "to",
            .kind = Setting::Kind::Text,
            .help =
                "Who is written to: customers of the staff, the staff itself, or customer groups; "
                "or, of a webhook, tags to be put on customers.",
            .choices = kinds},
    Setting{.name = "corp_id", .kind = Setting::Kind::Text, .help = "The enterprise's CorpID."},
    Setting{.name = "secret",
            .kind = Setting::Kind::Secret,
            .help = "The secret of the application that may do so."},
    Setting{.name = "agent_id",
            .kind = Setting::Kind::Number,
            .help = "Staff: the application's AgentId.",
            .optional = true,
            .least = 1,
            .most = 2'000'000'000},
    Setting{.name = "sender",
            .kind = Setting::Kind::Text,
            .help = "Customers: the userid of the member of staff who sends; else whoever knows "
                    "the customer.",
            .optional = true},
    Setting{.name = "groups",
            .kind = Setting::Kind::Text,
            .help = "Groups: their chat ids, with commas between them; needs `sender`.",
            .optional = true},
    Setting{.name = "codes_lead_to",
            .kind = Setting::Kind::Text,
            .help = "The userids, with commas between them, of the staff to whom codes lead.",
            .optional = true},
    Setting{.name = "gather_within",
            .kind = Setting::Kind::Duration,
            .help = "Customers: like messages that come within it make one task.",
            .otherwise = "5s",
            .least = 1'000,
            .most = 30'000'000},
    Setting{.name = "sent_within",
            .kind = Setting::Kind::Duration,
            .help = "Customers: how long the staff has to send; then the task is called off.",
            .otherwise = "1d",
            .least = 60'000'000,
            .most = 604'800'000'000},
    Setting{.name = "look_every",
            .kind = Setting::Kind::Duration,
            .help = "Customers: how often it is looked up who has got the message.",
            .otherwise = "5m",
            .least = 10'000,
            .most = 3'600'000'000},
    Setting{.name = "token",
            .kind = Setting::Kind::Secret,
            .help = "The Token of the callback address; without it nothing is received.",
            .optional = true},
    Setting{.name = "encoding_key",
            .kind = Setting::Kind::Secret,
            .help = "Its EncodingAESKey.",
            .optional = true},
    Setting{.name = "follow_consents",
            .kind = Setting::Kind::Flag,
            .help = "Whether who adds a member of staff has consented to messages.",
            .otherwise = "true"},
    Setting{.name = "welcome",
            .kind = Setting::Kind::Text,
            .help = "The text that welcomes a new customer; needs `token`.",
            .optional = true},
    Setting{.name = "url",
            .kind = Setting::Kind::Url,
            .help = "The platform's address.",
            .otherwise = "https://qyapi.weixin.qq.com"},
    connect_within,
    // An attempt may be three requests: it is not to be cut off in the last.
    Setting{.name = "answer_within",
            .kind = Setting::Kind::Duration,
            .help = "How long a request may take.",
            .otherwise = "15s",
            .least = 10'000,
            .most = 30'000'000},
};

// How long after a task was called off its last customers may be heard of.
constexpr Duration told_behind = hours(2);
constexpr std::size_t most_in_task = 10'000, most_groups = 2000, most_looks = 200;
constexpr std::size_t longest_welcome = 4000;  // bytes

std::optional<std::int64_t> number_of(const Json& json, const char* name) {
  if (!json.is_object()) return std::nullopt;
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}
// The list of that name; empty where there is none.
const Json& list_of(const Json& json, const char* name) {
  static const Json none = Json::array();
  if (!json.is_object()) return none;
  const auto found = json.find(name);
  return found != json.end() && found->is_array() ? *found : none;
}

// What stands between commas, without blanks around it.
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    std::string_view part = text.substr(at, comma - at);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    at = comma + 1;
  }
  return parts;
}
// Appends "name":["…","…"], with a comma before it where something stands there already.
void append_list(std::string& out, std::string_view name, const std::vector<std::string>& texts) {
  out += out.back() == '{' ? "" : ",";
  append_json_string(out, name);
  out += ":[";
  for (const std::string& text : texts) {
    out += out.back() == '[' ? "" : ",";
    append_json_string(out, text);
  }
  out += ']';
}

std::string text_of_delivery(const Delivery& delivery) {
  std::string text = delivery.title;
  for (const std::string* part : {&delivery.body, &delivery.link})
    if (!part->empty()) text += (text.empty() ? "" : "\n") + *part;
  return text;
}

struct Reach {
  std::string url;
  Duration connect_within, answer_within;
  net::Request request(std::string method, const std::string& path, std::string body) const {
    net::Request made;
    made.method = std::move(method);
    made.url = url + path;
    if (!body.empty()) made.headers = {{"Content-Type", "application/json; charset=utf-8"}};
    made.body = std::move(body);
    made.connect_within = connect_within;
    made.answer_within = answer_within;
    return made;
  }
};

// Errors hold an outcome for what needs the token: a failure's name, "throttled" or "later".
asio::awaitable<Result<LentToken>> lent_token(net::Client* http, Reach reach, std::string corp,
                                              Secret secret) {
  net::Request request = reach.request("GET",
                                       "/cgi-bin/gettoken?corpid=" + net::percent_encoded(corp) +
                                           "&corpsecret=" + net::percent_encoded(secret.reveal()),
                                       "");
  const auto response = co_await http->send(std::move(request));
  if (!response) co_return Error{"later", response.error().what};
  const Json json = Json::parse(response->body, nullptr, false);
  const auto code = number_of(json, "errcode"), lasts = number_of(json, "expires_in");
  const std::string token = text_of(json, "access_token");
  if (code == 0 && !token.empty() && token.size() <= 4096 && lasts && *lasts > 0 &&
      *lasts <= 86'400) {
    LentToken lent{token, seconds(*lasts)};
    co_return lent;
  }
  if (!code || *code == 0) co_return Error{"later", "asked for a token, it gave none"};
  const Outcome outcome = wecom_outcome(*code);
  const std::string why = "asked for a token, it answered " + std::to_string(*code);
  if (const auto* const deferred = std::get_if<Deferred>(&outcome))
    co_return Error{deferred->throttled ? "throttled" : "later", why};
  co_return Error{"credentials", why};
}

// An answer that could be read, or the outcome of there being none.
struct Answered {
  std::optional<Outcome> trouble;
  std::int64_t code = 0;
  Json json;
};

class Wecom final : public Connector, public MakesCodes {
 public:
  Wecom(const Settings& given, std::optional<PushCrypt> crypt, Tools tools)
      : tools_(std::move(tools)),
        given_(given),
        crypt_(std::move(crypt)),
        is_for_staff_(given.text("to") == "staff"),
        is_for_tags_(given.text("to") == "tags"),
        groups_(given.text("to") == "groups" ? parts_of(given.text("groups"))
                                             : std::vector<std::string>()),
        reach_{given.text("url"), given.duration("connect_within"),
               given.duration("answer_within")},
        tokens_(
            tools_.executor, tools_.now, minutes(4),
            [http = tools_.http, reach = reach_, corp = given.text("corp_id"),
             secret = given.secret("secret")] { return lent_token(http, reach, corp, secret); }) {
    for (const Note& note : tools_.notes->all()) {
      WecomTasks::Task task{note.name, note.until - told_behind, !groups_.empty()};
      for (auto& [who, key] : read_sent_to(note.text)) task.waiting.emplace(std::move(who), key);
      tasks_.add(std::move(task));
    }
  }
  ~Wecom() override {
    alive_.reset();  // what goes on behind the callers' backs sees it and ends
    const auto signals = welcoming_;
    for (const auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
  }

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    if (is_for_tags_) co_return co_await tag(std::move(delivery.body));
    if (!groups_.empty()) co_return co_await tell_groups(std::move(delivery));
    if (delivery.addresses.empty()) co_return Refused{Failure::Unreachable, "it has no address"};
    std::string text = text_of_delivery(delivery);
    if (text.empty()) co_return Refused{Failure::BadContent, "it says nothing"};
    if (is_for_staff_) co_return co_await tell_staff(delivery.addresses[0].value, text);
    std::vector<Delivery> one{std::move(delivery)};
    const auto outcomes = co_await deliver_together(std::move(one));
    if (outcomes.empty()) co_return Unknown{};
    co_return outcomes[0];
  }

  // Customers with the same text make one task.
  Together together() const override {
    if (is_for_staff_ || is_for_tags_ || !groups_.empty()) return {};
    return {most_in_task, given_.duration("gather_within")};
  }
  std::string alike(const Delivery& delivery) const override {
    const std::string text = text_of_delivery(delivery);
    if (delivery.addresses.empty() || text.empty()) return {};
    return to_hex(hash128(text));  // of a long text many wait
  }
  asio::awaitable<std::vector<Outcome>> deliver_together(
      std::vector<Delivery> deliveries) override {
    std::vector<std::string> persons;
    for (const Delivery& delivery : deliveries) persons.push_back(delivery.addresses[0].value);
    std::string body = R"({"chat_type":"single")";
    append_list(body, "external_userid", persons);
    if (given_.has("sender")) append_field(body, "sender", given_.text("sender"));
    body += R"(,"text":{)";
    append_field(body, "content", text_of_delivery(deliveries[0]));
    const std::weak_ptr<int> alive = alive_;
    const Answered answered =
        co_await call("/cgi-bin/externalcontact/add_msg_template", body + "}}");
    std::vector<Outcome> outcomes;
    if (alive.expired()) co_return outcomes;
    Outcome all = answered.trouble ? *answered.trouble : wecom_outcome(answered.code);
    WecomTasks::Task task = task_of(answered);
    if (std::holds_alternative<Done>(all)) all = awaited(task);
    std::set<std::string> failed;
    for (const Json& each : list_of(answered.json, "fail_list"))
      if (each.is_string()) failed.insert(each.get<std::string>());
    for (const Delivery& delivery : deliveries) {
      const std::string& person = delivery.addresses[0].value;
      const bool is_out = failed.contains(person);
      outcomes.push_back(is_out ? Outcome(Refused{Failure::Unreachable, "it cannot be sent to him"})
                                : all);
      if (!is_out && std::holds_alternative<Pending>(all))
        task.waiting.emplace(person, delivery.key);
    }
    if (!task.waiting.empty()) co_await begin(std::move(task));
    co_return outcomes;
  }

  asio::awaitable<Received> receive(net::Asked asked) override {
    if (!crypt_) co_return answered(404, "there is no `token`");
    const net::Headers query = net::query_of(asked.query);
    const auto value = [&](std::string_view name) {
      const std::string* const found = net::find(query, name);
      return found ? *found : std::string();
    };
    std::string sealed = value("echostr");
    if (asked.method == "POST") {
      const auto outer = parse_xml(asked.body);
      if (!outer) co_return answered(400, "this is no message");
      sealed = outer->text_of("Encrypt");
    }
    if (!crypt_->is_signed(value("msg_signature"), value("timestamp"), value("nonce"), sealed))
      co_return answered(403, "the signature is wrong");
    const auto opened = crypt_->decrypt(sealed);
    if (!opened) co_return answered(400, "this cannot be decrypted");
    if (asked.method == "GET") co_return answered(200, *opened);
    const auto push = parse_xml(*opened);
    if (!push) co_return answered(400, "this is no message");
    if (const std::string code = wecom_welcome_code(*push); !code.empty() && given_.has("welcome"))
      begin_welcome(code);
    Received received = answered(200, "success");
    received.events = told_by_wecom(*push, given_.flag("follow_consents"), tools_.now());
    co_return received;
  }

  asio::awaitable<Result<std::string>> code(CodeWanted wanted) override {
    if (!given_.has("codes_lead_to"))
      co_return Error{"code", "say in `codes_lead_to` to whom on the staff codes lead"};
    if (wanted.scene.empty() || wanted.scene.size() > 30)
      co_return Error{"code", "the platform takes a scene of 1 to 30 letters"};
    if (wanted.lasts) co_return Error{"code", "its codes are for good; leave the time out"};
    std::string body = R"({"type":2,"scene":2,"skip_verify":true)";
    append_field(body, "state", wanted.scene);
    append_list(body, "user", parts_of(given_.text("codes_lead_to")));
    const Answered answered = co_await call("/cgi-bin/externalcontact/add_contact_way", body + "}");
    if (answered.trouble) co_return Error{"code", to_string(*answered.trouble)};
    std::string picture = text_of(answered.json, "qr_code");
    if (answered.code != 0 || picture.empty())
      co_return Error{"code", "it answered " + std::to_string(answered.code)};
    co_return picture;
  }

  Duration look_every() const override {
    return is_for_staff_ || is_for_tags_ ? Duration{} : given_.duration("look_every");
  }

  // Who has got what the staff was to send. A task that nobody has tapped in time is called off:
  // its message will surely not come any more.
  asio::awaitable<Received> look() override {
    Received received;
    std::size_t looked = 0;
    for (std::size_t i = 0; i < tasks_.all().size() && looked < most_looks; ++i, ++looked) {
      if (tasks_.all()[i].waiting.empty()) continue;  // told, and not forgotten yet
      const std::string number = tasks_.all()[i].number;
      const auto fates = co_await fates_of(number);
      // While it waited tasks may have come, but none gone.
      WecomTasks::Task& task = tasks_.all()[i];
      for (const auto& [person, failure] : fates)
        if (const auto report = task.settle(person, failure)) received.reports.push_back(*report);
      if (task.waiting.empty() || tools_.now() < task.ends) continue;
      std::string which = "{";
      append_field(which, "msgid", number);
      const Answered off =
          co_await call("/cgi-bin/externalcontact/cancel_groupmsg_send", which + "}");
      if (off.trouble || off.code != 0) continue;  // again at the next look
      WecomTasks::Task& late = tasks_.all()[i];
      for (const Report& report : late.settle_rest()) received.reports.push_back(report);
    }
    // Reports are as durable as events are: only then is the task forgotten.
    received.kept = [this, weak = std::weak_ptr(alive_)] {
      if (weak.expired()) return;
      for (const std::string& number : tasks_.drop_empty()) tools_.notes->forget(number);
    };
    co_return received;
  }

  // What a task has is told; of what it has not nobody will tell.
  Duration reports_for(const Delivery& delivery) const override {
    const std::optional<Timestamp> ends = tasks_.end_of(delivery.key);
    return ends ? std::max(*ends + told_behind - tools_.now(), Duration{}) : Duration{};
  }
  MakesCodes* codes() override { return this; }

 private:
  // One request under the token; a token that is refused is replaced once.
  asio::awaitable<Answered> call(std::string path, std::string body, std::string method = "POST") {
    Answered answered;
    const std::weak_ptr<int> alive = alive_;
    for (bool again = false;; again = true) {
      const auto token = co_await tokens_.get();
      if (alive.expired()) answered.trouble = Unknown{};
      if (answered.trouble) co_return answered;
      if (!token) {
        const Error& error = token.error();
        if (const Failure failure = failure_of(error.code); failure != Failure::None)
          answered.trouble = Refused{failure, error.what};
        else
          answered.trouble = Deferred{.throttled = error.code == "throttled", .why = error.what};
        co_return answered;
      }
      net::Request request =
          reach_.request(method,
                         path + (path.find('?') == std::string::npos ? "?" : "&") +
                             "access_token=" + net::percent_encoded(*token),
                         body);
      request.once = true;  // sent twice, it would be two messages
      const auto response = co_await tools_.http->send(std::move(request));
      if (alive.expired())
        answered.trouble = Unknown{};
      else if (!response && response.error().code == "unsent")
        answered.trouble = Deferred{.why = response.error().what};
      else if (!response)
        answered.trouble = Unknown{response.error().what};
      if (answered.trouble) co_return answered;
      answered.json = Json::parse(response->body, nullptr, false);
      const auto code = number_of(answered.json, "errcode");
      if (response->status != 200 || !code) {
        answered.trouble = Unknown{"it answered what cannot be read, with status " +
                                   std::to_string(response->status)};
        co_return answered;
      }
      answered.code = *code;
      if (!is_of_wecom_token(*code) || again) co_return answered;
      tokens_.refused(*token);
    }
  }

  WecomTasks::Task task_of(const Answered& answered) const {
    return {text_of(answered.json, "msgid"), tools_.now() + given_.duration("sent_within"),
            !groups_.empty()};
  }
  Outcome awaited(const WecomTasks::Task& task) const {
    if (task.number.empty()) return Unknown{"it named no task"};
    return Pending{.within = given_.duration("sent_within") + told_behind,
                   .why = "a member of staff is to send it"};
  }
  // It is looked after from here on, in this life and the next.
  asio::awaitable<void> begin(WecomTasks::Task task) {
    SentTo sent(task.waiting.begin(), task.waiting.end());
    std::string number = task.number;
    const Timestamp until = task.ends + told_behind;
    tasks_.add(std::move(task));
    co_await note_sent(tools_, std::move(number), std::move(sent), until);
  }

  // One task for all groups; it is delivered when those that could be written to were.
  asio::awaitable<Outcome> tell_groups(Delivery delivery) {
    const std::string text = text_of_delivery(delivery);
    if (text.empty()) co_return Refused{Failure::BadContent, "it says nothing"};
    std::string body = R"({"chat_type":"group")";
    append_list(body, "chat_id_list", groups_);
    append_field(body, "sender", given_.text("sender"));
    body += R"(,"text":{)";
    append_field(body, "content", text);
    const std::weak_ptr<int> alive = alive_;
    const Answered answered =
        co_await call("/cgi-bin/externalcontact/add_msg_template", body + "}}");
    if (answered.trouble) co_return *answered.trouble;
    if (alive.expired()) co_return Unknown{};
    Outcome outcome = wecom_outcome(answered.code);
    if (!std::holds_alternative<Done>(outcome)) co_return outcome;
    WecomTasks::Task task = task_of(answered);
    for (const std::string& group : groups_) task.waiting.emplace(group, delivery.key);
    for (const Json& each : list_of(answered.json, "fail_list"))
      if (each.is_string()) task.waiting.erase(each.get<std::string>());
    if (task.waiting.empty()) co_return Refused{Failure::Unreachable, "it cannot be sent to any"};
    outcome = awaited(task);
    if (std::holds_alternative<Pending>(outcome)) co_await begin(std::move(task));
    co_return outcome;
  }

  // Puts a tag of the enterprise on a customer or takes it off, as a `call` says, at the member of
  // staff who is named or at all who know him; a tag that is not there is made.
  asio::awaitable<Outcome> tag(std::string wanted) {
    const auto tagging = read_tagging(wanted, "external_userid");
    if (!tagging) co_return Refused{Failure::BadContent, tagging.error().what};
    const std::weak_ptr<int> alive = alive_;
    for (const bool makes : {false, true}) {
      if (tag_ids_.contains(tagging->tag)) break;
      std::string body = "{";
      if (makes) {
        append_field(body, "group_name", "Koi");
        body += R"(,"tag":[{)";
        append_field(body, "name", tagging->tag);
        body += "}]";
      }
      std::string path = makes ? "/cgi-bin/externalcontact/add_corp_tag"
                               : "/cgi-bin/externalcontact/get_corp_tag_list";
      const Answered answered = co_await call(std::move(path), body + "}");
      if (answered.trouble) co_return *answered.trouble;
      if (alive.expired()) co_return Unknown{};
      if (answered.code != 0) co_return outcome_of_tag(answered.code);
      for (const auto& [name, id] : wecom_tags(answered.json)) tag_ids_[name] = id;
    }
    const auto known = tag_ids_.find(tagging->tag);
    if (known == tag_ids_.end()) co_return Unknown{"it did not name the tag that it made"};
    const std::string id = known->second;

    std::vector<std::string> staff{tagging->staff};
    if (tagging->staff.empty()) {
      const Answered customer = co_await call(
          "/cgi-bin/externalcontact/get?external_userid=" + net::percent_encoded(tagging->person),
          "", "GET");
      if (customer.trouble) co_return *customer.trouble;
      if (customer.code != 0) co_return wecom_outcome(customer.code);
      staff.clear();
      for (const Json& each : list_of(customer.json, "follow_user"))
        staff.push_back(text_of(each, "userid"));
      if (staff.empty()) co_return Refused{Failure::Unreachable, "nobody on the staff knows him"};
    }
    for (const std::string& member : staff) {
      std::string body = "{";
      append_field(body, "userid", member);
      append_field(body, "external_userid", tagging->person);
      append_list(body, tagging->is_off ? "remove_tag" : "add_tag", {id});
      const Answered marked = co_await call("/cgi-bin/externalcontact/mark_tag", body + "}");
      if (marked.trouble) co_return *marked.trouble;
      if (alive.expired()) co_return Unknown{};
      if (marked.code != 0) co_return outcome_of_tag(marked.code);
    }
    co_return Done{};
  }
  // A tag that somebody has deleted or made meanwhile is looked up again.
  Outcome outcome_of_tag(std::int64_t code) {
    if (!is_of_wecom_tag(code)) return wecom_outcome(code);
    tag_ids_.clear();
    return Deferred{.why = "it answered " + std::to_string(code), .of_person = true};
  }

  asio::awaitable<Outcome> tell_staff(std::string person, std::string text) {
    std::string body = "{";
    append_field(body, "touser", person);
    append_field(body, "msgtype", "text");
    body += R"(,"agentid":)" + std::to_string(given_.number("agent_id")) + R"(,"text":{)";
    append_field(body, "content", text);
    // The same to the same within four hours is dropped: all that there is against doubling.
    body += R"(},"enable_duplicate_check":1,"duplicate_check_interval":14400})";
    const Answered answered = co_await call("/cgi-bin/message/send", std::move(body));
    if (answered.trouble) co_return *answered.trouble;
    if (answered.code == 0 && !text_of(answered.json, "invaliduser").empty())
      co_return Refused{Failure::Unreachable, "it names him as invalid"};
    co_return wecom_outcome(answered.code);
  }

  // What became of the customers of a task, as far as it is known.
  asio::awaitable<std::vector<std::pair<std::string, Failure>>> fates_of(std::string number) {
    std::vector<std::pair<std::string, Failure>> fates;
    std::string which = "{";
    append_field(which, "msgid", number);
    const Answered staff =
        co_await call("/cgi-bin/externalcontact/get_groupmsg_task", which + R"(,"limit":1000})");
    if (staff.trouble || staff.code != 0) co_return fates;
    for (const Json& each : list_of(staff.json, "task_list")) {
      const std::string member = text_of(each, "userid");
      std::string cursor;
      for (int pages = 0; !member.empty() && pages < 20; ++pages) {
        std::string page = which;
        append_field(page, "userid", member);
        append_field(page, "cursor", cursor);
        const Answered sent = co_await call("/cgi-bin/externalcontact/get_groupmsg_send_result",
                                            page + R"(,"limit":1000})");
        if (sent.trouble || sent.code != 0) break;
        for (const Json& one : list_of(sent.json, "send_list")) {
          const auto fate = wecom_fate(number_of(one, "status").value_or(0));
          const char* const who = groups_.empty() ? "external_userid" : "chat_id";
          if (fate) fates.emplace_back(text_of(one, who), *fate);
        }
        cursor = text_of(sent.json, "next_cursor");
        if (cursor.empty()) break;
      }
    }
    co_return fates;
  }

  // Within twenty seconds, once; nobody waits for it.
  void begin_welcome(const std::string& code) {
    std::string body = "{";
    append_field(body, "welcome_code", code);
    body += R"(,"text":{)";
    append_field(body, "content", given_.text("welcome"));
    auto cancel = std::make_shared<asio::cancellation_signal>();
    welcoming_.insert(cancel);
    asio::co_spawn(tools_.executor, call("/cgi-bin/externalcontact/send_welcome_msg", body + "}}"),
                   asio::bind_cancellation_slot(
                       cancel->slot(), [this, weak = std::weak_ptr(alive_), cancel](
                                           std::exception_ptr thrown, const Answered& answered) {
                         if (weak.expired()) return;
                         welcoming_.erase(cancel);
                         if (!thrown && !answered.trouble && answered.code == 0) return;
                         tools_.log(Level::Warning, "wecom: a customer was not welcomed: code " +
                                                        std::to_string(answered.code));
                       }));
  }

  Tools tools_;
  Settings given_;
  std::optional<PushCrypt> crypt_;
  bool is_for_staff_, is_for_tags_;
  std::vector<std::string> groups_;             // written to; empty: somebody else is
  std::map<std::string, std::string> tag_ids_;  // by name
  Reach reach_;
  TokenCache tokens_;
  WecomTasks tasks_;
  std::set<std::shared_ptr<asio::cancellation_signal>> welcoming_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  std::string wrong;
  const auto say = [&](const std::string& what) {
    wrong.append(wrong.empty() ? "" : "\n") += what;
  };
  if (given.text("to") == "staff" && !given.has("agent_id"))
    say("`agent_id` is missing: messages to staff are an application's");
  if (given.text("to") == "groups") {
    const std::size_t groups = given.has("groups") ? parts_of(given.text("groups")).size() : 0;
    if (!given.has("sender")) say("`sender` is missing: a member of staff sends to groups");
    if (groups == 0 || groups > most_groups) say("`groups` must name 1 to 2,000 chat ids");
  }
  if (given.has("token") != given.has("encoding_key"))
    say("`token` and `encoding_key` belong together; give both or none");
  if (given.has("welcome") && !given.has("token"))
    say("`welcome` needs `token`: who comes is told at the callback address");
  if (given.has("welcome") && given.text("welcome").size() > longest_welcome)
    say("`welcome` is longer than 4,000 bytes");
  std::optional<PushCrypt> crypt;
  if (wrong.empty() && given.has("token")) {
    auto made = PushCrypt::open(given.secret("token").reveal(),
                                given.secret("encoding_key").reveal(), given.text("corp_id"));
    if (made)
      crypt = *std::move(made);
    else
      say("`encoding_key`: " + made.error().what);
  }
  if (!wrong.empty()) return Error{"settings", std::move(wrong)};
  return std::unique_ptr<Connector>(
      std::make_unique<Wecom>(given, std::move(crypt), std::move(tools)));
}

Result<WayOf> way_of(const Given& given) {
  // Whom it writes to is how.
  const std::string to = given_text(given, "to");
  const auto kind = std::find(kinds.begin(), kinds.end(), to);
  const std::string_view form = kind == kinds.end() ? kinds[0] : *kind;
  return WayOf([form](std::string_view, bool) { return Way{form}; });
}

}  // namespace

const ConnectorType& wecom() {
  static const ConnectorType type{
      .name = "wecom",
      .summary = "Writes to the customers of WeCom's staff, and to the staff.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Neither,
                       .at_once = 32,
                       .receives = true,
                       .replies = true,
                       .per_person = per_person,
                       .forms = forms,
                       .amounts = amounts,
                       .zone = "Asia/Shanghai"},
      .open = open,
      .way_of = way_of};
  return type;
}

}  // namespace koi::connectors
