// The vocabulary of a program: every declaration but campaigns and tests.
#include "lang/parse_builder.h"

namespace koi::lang {

ast::File Builder::file(Grammar::FileContext* ctx) {
  ast::File file;
  file.source = number_;
  file.comments = lexed_.comments;
  file.blank_lines = lexed_.blank_lines;
  for (auto* each : ctx->declaration()) {
    if (auto made = declaration(each)) file.declarations.push_back(std::move(*made));
  }
  return file;
}

// Nothing where the declaration has an error outside the lists of its parts.
std::optional<ast::Declaration> Builder::declaration(Grammar::DeclarationContext* ctx) {
  if (!good(ctx)) return std::nullopt;
  const auto place = span(ctx);
  if (auto* it = ctx->eventDeclaration()) return event(it);
  if (auto* it = ctx->customerDeclaration()) return customer(it);
  if (auto* it = ctx->metricDeclaration()) {
    return ast::MetricDecl{place, name(it->name()), alias(it->alias()), measure(it->measure())};
  }
  if (auto* it = ctx->segmentDeclaration()) {
    return ast::SegmentDecl{place, name(it->name()), alias(it->alias()),
                            expression(it->expression())};
  }
  if (auto* it = ctx->letDeclaration()) {
    return ast::LetDecl{place, name(it->name()), alias(it->alias()), expression(it->expression())};
  }
  if (auto* it = ctx->tierDeclaration()) return tier(it);
  if (auto* it = ctx->audienceDeclaration()) {
    return ast::AudienceDecl{place, name(it->name(0)), alias(it->alias()),
                             plain_text(it->plainText()), name(it->name(1))};
  }
  if (auto* it = ctx->contentDeclaration()) {
    return ast::ContentDecl{place, name(it->name()), alias(it->alias()),
                            content_items(it->contentBlock())};
  }
  if (auto* it = ctx->couponDeclaration()) return coupon(it);
  if (auto* it = ctx->redPacketDeclaration()) return red_packet(it);
  if (auto* it = ctx->pointsDeclaration()) return points(it);
  if (auto* it = ctx->prizeDrawDeclaration()) return prize_draw(it);
  if (auto* it = ctx->referralDeclaration()) return referral(it);
  if (auto* it = ctx->channelDeclaration()) return channel(it);
  if (auto* it = ctx->teamDeclaration()) {
    return ast::TeamDecl{place, name(it->name()), alias(it->alias())};
  }
  if (auto* it = ctx->webhookDeclaration()) {
    return ast::WebhookDecl{place, name(it->name()), alias(it->alias())};
  }
  if (auto* it = ctx->policyDeclaration()) return policy(it);
  if (auto* it = ctx->campaignDeclaration()) return campaign(it);
  return test(ctx->testDeclaration());
}

// -------------------------------------------------------------------------- events and customers

ast::EventDecl Builder::event(Grammar::EventDeclarationContext* ctx) {
  ast::EventDecl event{.span = span(ctx),
                       .name = name(ctx->name()),
                       .alias = alias(ctx->alias()),
                       .to_everyone = ctx->EVERYONE() != nullptr,
                       .fields = {}};
  for (auto* each : ctx->field()) {
    if (good(each)) event.fields.push_back(field(each));
  }
  return event;
}

ast::Field Builder::field(Grammar::FieldContext* ctx) {
  ast::Field field{.span = span(ctx),
                   .name = name(ctx->label()),
                   .alias = alias(ctx->alias()),
                   .type = type(ctx->type()),
                   .default_value = {}};
  for (auto* tail : ctx->fieldTail()) {
    if (auto* given = tail->fieldDefault()) {
      field.default_value = given->NO() != nullptr ? no(given->NO()) : sum(given->sum());
    } else {
      field.is_private = true;
    }
  }
  return field;
}

ast::Type Builder::type(Grammar::TypeContext* ctx) {
  ast::Type type{.span = span(ctx), .values = {}};
  type.list = ctx->LIST_OF() != nullptr;
  type.optional = ctx->QUESTION() != nullptr;
  if (auto* of = ctx->enumType()) {
    type.kind = ast::TypeKind::Enum;
    for (auto* value : of->enumValue()) {
      type.values.push_back({span(value), name(value->name()), alias(value->alias())});
    }
    return type;
  }
  const auto word = name(ctx->name());
  if (const auto kind = type_of_word(word.text)) {
    type.kind = *kind;
    return type;
  }
  report(Code::UnknownType, word.span, {word.text});
  const auto& known = type_words();
  diagnostics.back().replacement = closest(word.text, {known.begin(), known.end()});
  return type;
}

ast::CustomerDecl Builder::customer(Grammar::CustomerDeclarationContext* ctx) {
  ast::CustomerDecl customer{.span = span(ctx), .alias = alias(ctx->alias()), .items = {}};
  for (auto* each : ctx->customerItem()) {
    if (!good(each)) continue;
    if (auto* it = each->field()) {
      customer.items.push_back(field(it));
    } else if (auto* by = each->identifyBy()) {
      customer.items.push_back(ast::IdentifyBy{span(by), names(by->name())});
    } else {
      auto* on = each->onEvent();
      ast::OnEvent reaction{span(on), pattern(on->eventPattern()), {}};
      for (auto* set : on->assignment()) reaction.assignments.push_back(assignment(set));
      customer.items.push_back(std::move(reaction));
    }
  }
  return customer;
}

ast::TierDecl Builder::tier(Grammar::TierDeclarationContext* ctx) {
  ast::TierDecl tier{.span = span(ctx),
                     .name = name(ctx->name()),
                     .alias = alias(ctx->alias()),
                     .by = sum(ctx->sum()),
                     .among = {},
                     .refreshed = {},
                     .quintiles = ctx->QUINTILES() != nullptr,
                     .levels = {}};
  if (auto* among = ctx->expression()) tier.among = expression(among);
  if (auto* when = ctx->schedule()) tier.refreshed = schedule(when);
  for (auto* each : ctx->tierLevel()) {
    if (!good(each)) continue;
    ast::TierLevel level{span(each), name(each->label()), alias(each->alias()), ast::TheRest{}};
    auto* share = each->tierShare();
    if (share->TOP() != nullptr) level.share = ast::TopShare{sum(share->sum())};
    if (share->NEXT() != nullptr) level.share = ast::NextShare{sum(share->sum())};
    tier.levels.push_back(std::move(level));
  }
  return tier;
}

// -------------------------------------------------------------------------- content and channels

std::vector<ast::ContentItem> Builder::content_items(Grammar::ContentBlockContext* ctx) {
  std::vector<ast::ContentItem> items;
  for (auto* each : ctx->contentItem()) {
    if (good(each)) items.push_back(content_item(each));
  }
  return items;
}

ast::ContentItem Builder::content_item(Grammar::ContentItemContext* ctx) {
  const auto place = span(ctx);
  if (ctx->TITLE() != nullptr) return {ast::ContentTitle{place, text(ctx->text())}};
  if (ctx->BODY() != nullptr) return {ast::ContentBody{place, text(ctx->text())}};
  if (ctx->LINK() != nullptr) return {ast::ContentLink{place, text(ctx->text())}};
  if (ctx->TEMPLATE() != nullptr) {
    ast::ContentTemplate item{place, plain_text(ctx->plainText()), {}};
    if (auto* parameters = ctx->settings()) item.parameters = settings(parameters);
    return {std::move(item)};
  }
  if (ctx->FOR() != nullptr) {
    return {ast::ContentForChannel{place, names(ctx->name()), content_items(ctx->contentBlock())}};
  }
  return {ast::ContentForLanguage{place, plain_text(ctx->plainText()),
                                  content_items(ctx->contentBlock())}};
}

ast::ChannelDecl Builder::channel(Grammar::ChannelDeclarationContext* ctx) {
  ast::ChannelDecl channel{span(ctx), name(ctx->name()), alias(ctx->alias()), {}};
  for (auto* each : ctx->channelClause()) {
    if (!good(each)) continue;
    const auto place = span(each);
    if (each->CLASS() != nullptr) {
      channel.clauses.push_back(ast::ChannelClass{place, name(each->name(0))});
    } else if (each->COST() != nullptr) {
      channel.clauses.push_back(ast::ChannelCost{place, sum(each->sum())});
    } else if (each->RATE() != nullptr) {
      channel.clauses.push_back(
          ast::ChannelRate{place, sum(each->sum()), unit_span(each->calendarUnit())});
    } else if (each->CLEARED_FOR() != nullptr) {
      channel.clauses.push_back(ast::ChannelClearedFor{place, names(each->name())});
    } else if (each->REACH_BY() != nullptr) {
      channel.clauses.push_back(ast::ChannelReachBy{place, name(each->name(0))});
    } else {
      ast::ChannelOpen open{place, {}};
      for (auto* it : each->opening()) open.openings.push_back(opening(it));
      channel.clauses.push_back(std::move(open));
    }
  }
  return channel;
}

ast::ChannelOpening Builder::opening(Grammar::OpeningContext* ctx) {
  ast::ChannelOpening opening{span(ctx), duration(ctx->duration()), {}, {}};
  ast::EventPattern& event = opening.event;
  if (auto* any = ctx->ANY_EVENT()) {
    event.any = true;
    event.span = span(token(any));
    event.event = {.text = slice(event.span), .span = event.span};
  } else {
    event.event = name(ctx->word());
    event.span = event.event.span;
  }
  if (auto* where = ctx->expression()) {
    event.where = expression(where);
    event.span = from_to(event.span, event.where->span);
  }
  if (auto* messages = ctx->sum()) opening.messages = sum(messages);
  return opening;
}

// ------------------------------------------------------------------------------------ incentives

ast::CouponDecl Builder::coupon(Grammar::CouponDeclarationContext* ctx) {
  ast::CouponDecl coupon{span(ctx), name(ctx->name()), alias(ctx->alias()), {}};
  for (auto* each : ctx->couponClause()) {
    if (!good(each)) continue;
    const auto place = span(each);
    if (each->OFF() != nullptr) {
      std::size_t next = 0;
      const auto amounts = each->amount();
      auto off = amount(amounts[next++]);
      std::optional<ast::Expr> up_to;
      if (each->UP_TO() != nullptr) up_to = amount(amounts[next++]);
      std::optional<ast::Expr> orders_from;
      if (each->ON_ORDERS_FROM() != nullptr) orders_from = amount(amounts[next++]);
      std::optional<ast::Expr> where;
      if (each->expression() != nullptr) where = expression(each->expression());
      coupon.clauses.push_back(ast::CouponOff{place, std::move(off), std::move(up_to),
                                              std::move(orders_from), std::move(where)});
    } else if (each->GENERATED() != nullptr) {
      coupon.clauses.push_back(ast::CodesGenerated{place, plain_text(each->plainText())});
    } else if (each->FROM_POOL() != nullptr) {
      std::optional<ast::Expr> low_at;
      if (each->sum() != nullptr) low_at = sum(each->sum());
      coupon.clauses.push_back(
          ast::CodesFromPool{place, plain_text(each->plainText()), std::move(low_at)});
    } else if (each->VALID() != nullptr) {
      if (auto* range = each->dateRange()) {
        coupon.clauses.push_back(ast::Valid{place, date_range(range)});
      } else {
        coupon.clauses.push_back(ast::Valid{place, duration(each->duration())});
      }
    } else if (each->COMBINE_WITH() != nullptr) {
      coupon.clauses.push_back(ast::CombineWith{place, names(each->name())});
    } else if (auto* spend = each->budgetClause()) {
      coupon.clauses.push_back(budget(spend));
    } else {
      coupon.clauses.push_back(limit(each->limitClause()));
    }
  }
  return coupon;
}

ast::RedPacketDecl Builder::red_packet(Grammar::RedPacketDeclarationContext* ctx) {
  ast::RedPacketDecl packet{span(ctx), name(ctx->name()), alias(ctx->alias()), {}};
  for (auto* each : ctx->redPacketClause()) {
    if (!good(each)) continue;
    const auto place = span(each);
    const auto sums = each->sum();
    std::size_t next = 0;
    if (each->RANDOM() != nullptr) {
      auto from = sum(sums[next++]);
      auto to = sum(sums[next++]);
      packet.clauses.push_back(ast::RandomAmount{place, std::move(from), std::move(to),
                                                 sum_if(each->AVERAGE() != nullptr, sums, next)});
    } else if (each->AMOUNT() != nullptr) {
      packet.clauses.push_back(ast::FixedAmount{place, sum(sums[0])});
    } else if (each->TOTAL() != nullptr) {
      auto total = sum(sums[next++]);
      auto among = sum(sums[next++]);
      packet.clauses.push_back(ast::GroupTotal{place, std::move(total), std::move(among),
                                               each->BY_LUCK() != nullptr,
                                               sum_if(each->AT_LEAST() != nullptr, sums, next)});
    } else if (each->CLAIM() != nullptr) {
      packet.clauses.push_back(ast::ClaimWithin{place, duration(each->within())});
    } else if (each->PAY() != nullptr) {
      packet.clauses.push_back(ast::PayVia{place, name(each->name())});
    } else if (each->WISHES() != nullptr) {
      packet.clauses.push_back(ast::Wishes{place, text(each->text())});
    } else if (auto* spend = each->budgetClause()) {
      packet.clauses.push_back(budget(spend));
    } else {
      packet.clauses.push_back(limit(each->limitClause()));
    }
  }
  return packet;
}

ast::PointsDecl Builder::points(Grammar::PointsDeclarationContext* ctx) {
  ast::PointsDecl points{span(ctx), name(ctx->name()), alias(ctx->alias()), {}};
  for (auto* each : ctx->pointsClause()) {
    if (!good(each)) continue;
    const auto place = span(each);
    if (each->EXPIRE() != nullptr) {
      points.clauses.push_back(ast::PointsExpire{place, duration(each->duration())});
    } else if (each->PENDING() != nullptr) {
      points.clauses.push_back(ast::PointsPending{place, duration(each->duration())});
    } else if (each->WORTH() != nullptr) {
      points.clauses.push_back(ast::PointsWorth{place, sum(each->sum())});
    } else if (auto* spend = each->budgetClause()) {
      points.clauses.push_back(budget(spend));
    } else {
      points.clauses.push_back(limit(each->limitClause()));
    }
  }
  return points;
}

ast::PrizeDrawDecl Builder::prize_draw(Grammar::PrizeDrawDeclarationContext* ctx) {
  ast::PrizeDrawDecl draw{span(ctx), name(ctx->name()), alias(ctx->alias()), {}};
  for (auto* each : ctx->prizeDrawClause()) {
    if (!good(each)) continue;
    if (each->PRIZE() != nullptr) {
      const auto sums = each->sum();
      std::variant<ast::PlainText, ast::Gift> what;
      if (auto* thing = each->plainText()) {
        what = plain_text(thing);
      } else {
        what = gift(each->gift());
      }
      std::size_t next = 1;
      draw.clauses.push_back(ast::Prize{span(each), std::move(what), sum(sums[0]),
                                        sum_if(each->STOCK() != nullptr, sums, next)});
    } else if (auto* spend = each->budgetClause()) {
      draw.clauses.push_back(budget(spend));
    } else {
      draw.clauses.push_back(limit(each->limitClause()));
    }
  }
  return draw;
}

ast::ReferralDecl Builder::referral(Grammar::ReferralDeclarationContext* ctx) {
  ast::ReferralDecl referral{span(ctx), name(ctx->name()), alias(ctx->alias()), {}};
  for (auto* each : ctx->referralClause()) {
    if (!good(each)) continue;
    const auto place = span(each);
    auto& clauses = referral.clauses;
    if (each->LINK() != nullptr) {
      clauses.push_back(ast::ReferralLink{place, text(each->text())});
    } else if (each->BIND() != nullptr) {
      clauses.push_back(
          ast::ReferralBind{place, each->FIRST() != nullptr, duration_if(each->within())});
    } else if (each->QUALIFY() != nullptr) {
      clauses.push_back(
          ast::ReferralQualify{place, pattern(each->eventPattern()), duration_if(each->within())});
    } else if (each->REWARD() != nullptr) {
      const std::size_t inviters = each->INVITER().size();
      ast::ReferralReward reward{place, inviters > 0, gift(each->gift()), {}};
      if (inviters > 1) reward.above = inviters - 1;
      if (auto* at = each->word()) reward.at = name(at);
      clauses.push_back(std::move(reward));
    } else if (each->REFUSE() != nullptr) {
      ast::ReferralRefuse refuse{place, {}};
      for (auto* reason : each->refusal()) {
        ast::ReferralRefuse::Reason words{span(reason), {}};
        if (auto* same = reason->SAME()) words.words.push_back(name_of(token(same)));
        if (auto* existing = reason->EXISTING_CUSTOMER()) {
          const auto words_place = span(token(existing));
          words.words.push_back(
              {slice(words_place), words_place, keyword(Kind::EXISTING_CUSTOMER).english});
        }
        if (auto* it = reason->name()) words.words.push_back(name(it));
        refuse.reasons.push_back(std::move(words));
      }
      clauses.push_back(std::move(refuse));
    } else if (each->HOLD_FOR_REVIEW() != nullptr) {
      clauses.push_back(ast::ReferralReview{place, sum(each->sum()), duration(each->within())});
    } else if (each->CLAW_BACK() != nullptr) {
      clauses.push_back(
          ast::ReferralClawBack{place, pattern(each->eventPattern()), duration_if(each->within())});
    } else if (auto* spend = each->budgetClause()) {
      clauses.push_back(budget(spend));
    } else if (auto* most = each->limitClause()) {
      clauses.push_back(limit(most));
    } else {
      clauses.push_back(ast::ReferralMilestone{place, sum(each->sum()), gift(each->gift()),
                                               each->INVITEE() != nullptr});
    }
  }
  return referral;
}

// ---------------------------------------------------------------------------------------- policy

ast::PolicyDecl Builder::policy(Grammar::PolicyDeclarationContext* ctx) {
  ast::PolicyDecl policy{span(ctx), {}};
  for (auto* each : ctx->policyClause()) {
    if (!good(each)) continue;
    const auto place = span(each);
    auto& clauses = policy.clauses;
    if (each->TIME_ZONE() != nullptr) {
      clauses.push_back(ast::PolicyTimeZone{place, plain_text(each->plainText())});
    } else if (each->CURRENCY() != nullptr) {
      clauses.push_back(ast::PolicyCurrency{place, name(each->name(0))});
    } else if (each->QUIET_HOURS() != nullptr) {
      clauses.push_back(ast::PolicyQuietHours{place, time(each->time(0)), time(each->time(1)),
                                              each->DROP() != nullptr});
    } else if (each->CAP() != nullptr) {
      clauses.push_back(cap(each));
    } else if (each->CONSENT() != nullptr) {
      clauses.push_back(ast::PolicyConsent{place, each->NOT() == nullptr, names(each->name())});
    } else if (each->LATENESS() != nullptr) {
      clauses.push_back(ast::PolicyLateness{place, duration(each->duration())});
    } else if (each->CAMPAIGNS() != nullptr) {
      ast::PolicyCampaigns campaigns{place, {}};
      for (auto* inherited : each->campaignClause()) {
        if (!good(inherited)) continue;
        campaigns.clauses.push_back(clause(inherited));
      }
      clauses.push_back(std::move(campaigns));
    } else {
      clauses.push_back(limit(each->limitClause()));
    }
  }
  return policy;
}

ast::PolicyCap Builder::cap(Grammar::PolicyClauseContext* ctx) {
  ast::PolicyCap cap{span(ctx), name(ctx->name(0)), {}};
  for (auto* item : ctx->capItem()) {
    if (item->MORE() != nullptr) {
      cap.items.push_back(ast::CapMore{span(item), sum(item->sum(0)),
                                       comparator(item->comparator()), sum(item->sum(1))});
    } else {
      cap.items.push_back(ast::CapLimit{span(item), sum(item->sum(0)), period(item->period())});
    }
  }
  return cap;
}

}  // namespace koi::lang
