#include "runtime/fit.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace koi::runtime {

namespace {

using channel::Format;
using channel::Limits;
using plan::ChannelId;

// What of a text is certain: all but what data put into it.
struct Certain {
  std::string text;
  bool is_all = true;
};
Certain certain(const plan::Plan& plan, plan::TemplateId which) {
  Certain known;
  if (which.is_none()) return known;
  for (const plan::Template::Part& part : plan.templates[which.index()].parts) {
    known.text += part.literal;
    known.is_all = known.is_all && part.node.is_none();
  }
  return known;
}

// As the person will get it: in its place stands an address of ours, where the deployment has one.
std::string link_of(const Environment& environment, std::string link) {
  constexpr std::size_t token = 27;
  if (environment.public_url.empty() ||
      !(link.starts_with("http://") || link.starts_with("https://")))
    return link;
  return environment.public_url + "/l/" + std::string(token, 'x');
}

// What is looked for on one channel.
class OnChannel {
 public:
  OnChannel(const Environment& environment, const plan::Plan& plan, ChannelId channel,
            const channel::ConnectorType& type, std::vector<Misfit>& found)
      : environment_(environment), plan_(plan), channel_(channel), type_(type), found_(found) {}

  void look(const channel::Given& given) {
    auto limits = Limits::of(type_, given);
    if (!limits) {
      add(Misfit::What::Unreadable).clause = limits.error().what;
      return;
    }
    limits_ = *std::move(limits);
    for (std::size_t i = 0; i < plan_.campaigns.size(); ++i)
      if (!plan_.campaigns[i].closed) look_at(plan::CampaignId::of(i));
    for (const plan::Incentive& incentive : plan_.incentives) look_at(incentive);
    look_at_the_clauses();
  }

 private:
  Misfit& add(Misfit::What what) {
    Misfit& misfit = found_.emplace_back();
    misfit.what = what;
    misfit.channel = plan_.channels[channel_.index()].symbol.name;
    misfit.connector = type_.name;
    return misfit;
  }

  void look_at(plan::CampaignId campaign) {
    const auto& steps = plan_.campaigns[campaign.index()].steps;
    for (std::size_t step = 0; step < steps.size(); ++step) {
      const auto* const send = std::get_if<plan::Send>(&steps[step]);
      if (!send ||
          std::find(send->channels.begin(), send->channels.end(), channel_) == send->channels.end())
        continue;
      campaign_ = campaign;
      step_ = static_cast<std::uint16_t>(step);
      const plan::Message& message = plan_.messages[send->message];
      const std::string& content = plan_.contents[message.content.index()].name;
      const Limits::Going going = limits_.going(content, send->is_reply());
      if (!send->is_reply()) forms_.insert(going.form->name);
      if (going.form->format == Format::Payment) {
        of_content(Misfit::What::MoneyAlone, content);
        continue;
      }
      for (const plan::Message::Variant& variant : message.variants)
        if (is_sent_here(message, variant)) look_at(content, variant, going);
    }
  }

  // A language's own variant for the channel goes before the one for all.
  bool is_sent_here(const plan::Message& message, const plan::Message::Variant& variant) const {
    if (!variant.channel.is_none()) return variant.channel == channel_;
    return std::none_of(message.variants.begin(), message.variants.end(),
                        [&](const plan::Message::Variant& other) {
                          return other.channel == channel_ && other.language == variant.language;
                        });
  }

  void look_at(const std::string& content, const plan::Message::Variant& variant,
               const Limits::Going& going) {
    if (!variant.title.is_none() && going.form->format == Format::Template)
      of_content(Misfit::What::NoTitle, content);
    const Certain title = certain(plan_, variant.title), body = certain(plan_, variant.body);
    const Certain link = certain(plan_, variant.link);
    const std::string address = link_of(environment_, link.text);
    const auto excess = limits_.excess(going, {title.text, body.text, address});
    if (!excess) return;
    const std::string of_channel =
        variant.channel.is_none() ? "" : plan_.channels[channel_.index()].symbol.name;
    Misfit* const misfit =
        of_content(Misfit::What::TooLong, content, variant.language + "\n" + of_channel);
    if (!misfit) return;
    misfit->language = variant.language;
    misfit->of_channel = of_channel;
    misfit->excess = *excess;
    misfit->at_least = !title.is_all || !body.is_all || !link.is_all;
  }

  // Null: it was found already.
  Misfit* of_content(Misfit::What what, const std::string& content, std::string variant = {}) {
    if (!known_.emplace(what, content, std::move(variant)).second) return nullptr;
    Misfit& misfit = add(what);
    misfit.content = content;
    misfit.campaign = campaign_;
    misfit.step = step_;
    return &misfit;
  }

  void look_at(const plan::Incentive& incentive) {
    const auto* const packet = std::get_if<plan::RedPacket>(&incentive.what);
    if (!packet || packet->pay_via != channel_) return;
    const Format format = limits_.going(incentive.symbol.name, false).form->format;
    if (format == Format::Payment || format == Format::Data) return;
    add(Misfit::What::NoMoney).content = incentive.symbol.name;
  }

  // Whether the rules say something of the kind: how much of it they know best.
  void look_at_the_clauses() {
    if (forms_.empty()) return;
    const plan::Channel& channel = plan_.channels[channel_.index()];
    const bool is_capped =
        std::any_of(plan_.policy.caps.begin(), plan_.policy.caps.end(),
                    [&](const plan::Cap& cap) { return cap.channel == channel_; });
    for (const channel::PerPerson& limit : type_.capabilities.per_person) {
      if (!limit.form.empty() && !forms_.contains(limit.form)) continue;
      const bool is_opening = limit.clause.starts_with("open ");
      if (is_opening ? !channel.openings.empty() : is_capped) continue;
      std::string clause(limit.clause);
      if (const auto at = clause.find("CHANNEL"); at != std::string::npos)
        clause.replace(at, std::string_view("CHANNEL").size(), channel.symbol.name);
      Misfit& misfit = add(Misfit::What::NotSaid);
      misfit.content = limit.what;
      misfit.clause = std::move(clause);
    }
  }

  const Environment& environment_;
  const plan::Plan& plan_;
  const ChannelId channel_;
  const channel::ConnectorType& type_;
  std::vector<Misfit>& found_;
  Limits limits_;
  plan::CampaignId campaign_;  // at hand
  std::uint16_t step_ = 0;
  std::set<std::string_view> forms_;  // by which contents go
  std::set<std::tuple<Misfit::What, std::string, std::string>> known_;
};

std::string in_marks(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string unit_in_chinese(channel::Unit unit) {
  switch (unit) {
    case channel::Unit::Bytes: return "字节";
    case channel::Unit::Characters: return "个字符";
    case channel::Unit::Utf16: return "个 UTF-16 单元";
    case channel::Unit::Segments: return "条短信";
  }
  KOI_ASSERT(false);
}
std::string part_in_chinese(channel::Length::Of of) {
  switch (of) {
    case channel::Length::Of::Title: return "标题";
    case channel::Length::Of::Body: return "正文";
    case channel::Length::Of::Link: return "链接";
    case channel::Length::Of::Whole:
    case channel::Length::Of::BodyAndLink: return "文本";
  }
  KOI_ASSERT(false);
}

std::string in_english(const Misfit& misfit) {
  const std::string channel = in_marks(misfit.channel) + " (" + misfit.connector + ")";
  const std::string content = "content " + in_marks(misfit.content);
  switch (misfit.what) {
    case Misfit::What::TooLong: {
      std::string variant;
      if (!misfit.language.empty()) variant += ", language " + in_marks(misfit.language);
      if (!misfit.of_channel.empty()) variant += ", for " + in_marks(misfit.of_channel);
      return content + variant + ": too long for the channel " + channel + ": " +
             std::string(name_of(misfit.excess.of)) + " has " +
             (misfit.at_least ? "at least " : "") + std::to_string(misfit.excess.is) + " " +
             std::string(name_of(misfit.excess.unit)) + ", of " +
             std::to_string(misfit.excess.most) + " that are taken";
    }
    case Misfit::What::NoMoney:
      return in_marks(misfit.content) + " is paid by the channel " + channel +
             ", which carries no money";
    case Misfit::What::MoneyAlone:
      return content + " goes by the channel " + channel + ", which carries money alone";
    case Misfit::What::NoTitle:
      return content + " has a title, which the channel " + channel + " does not send";
    case Misfit::What::NotSaid:
      return "the provider of the channel " + channel + " limits " + misfit.content +
             " for each person, and the rules do not say so: " + in_marks(misfit.clause);
    case Misfit::What::Unreadable: return "the channel " + channel + ": " + misfit.clause;
  }
  KOI_ASSERT(false);
}

std::string in_chinese(const Misfit& misfit) {
  const std::string channel = in_marks(misfit.channel) + "（" + misfit.connector + "）";
  const std::string content = "内容 " + in_marks(misfit.content);
  switch (misfit.what) {
    case Misfit::What::TooLong: {
      std::string variant;
      if (!misfit.language.empty()) variant += "，语言 " + in_marks(misfit.language);
      if (!misfit.of_channel.empty()) variant += "，用于 " + in_marks(misfit.of_channel);
      return content + variant + "：对渠道 " + channel + " 太长：" +
             part_in_chinese(misfit.excess.of) + (misfit.at_least ? "至少 " : "有 ") +
             std::to_string(misfit.excess.is) + " " + unit_in_chinese(misfit.excess.unit) +
             "，最多 " + std::to_string(misfit.excess.most);
    }
    case Misfit::What::NoMoney:
      return in_marks(misfit.content) + " 经渠道 " + channel + " 付款，而该渠道不能付款";
    case Misfit::What::MoneyAlone: return content + " 经渠道 " + channel + " 发送，而该渠道只付款";
    case Misfit::What::NoTitle: return content + " 有标题，渠道 " + channel + " 不发送标题";
    case Misfit::What::NotSaid:
      return "渠道 " + channel + " 的平台对每人有上限，规则未写明：" + in_marks(misfit.clause);
    case Misfit::What::Unreadable: return "渠道 " + channel + "：" + misfit.clause;
  }
  KOI_ASSERT(false);
}

}  // namespace

std::vector<Misfit> misfits(const Environment& environment, const plan::Plan& plan,
                            channel::ConnectorTypes types) {
  std::vector<Misfit> found;
  for (std::size_t i = 0; i < plan.channels.size(); ++i) {
    const auto named = environment.channels.find(plan.channels[i].symbol.name);
    if (named == environment.channels.end()) continue;  // the console takes anything
    if (const auto* const type = channel::find(types, named->second.connector))
      OnChannel(environment, plan, ChannelId::of(i), *type, found).look(named->second.settings);
  }
  return found;
}

std::string to_string(const Misfit& misfit, Language language) {
  return language == Language::Chinese ? in_chinese(misfit) : in_english(misfit);
}

std::string told(const std::vector<Misfit>& misfits, bool errors_alone) {
  std::string text;
  for (const Misfit& misfit : misfits)
    if (misfit.is_error() || !errors_alone) text += (text.empty() ? "" : "\n") + in_english(misfit);
  return text;
}

}  // namespace koi::runtime
