// From the grammar's tree to ours. The files parse*.cpp are the only ones that see ANTLR; this
// header is theirs alone.
#pragma once

#include <string>
#include <vector>

#include "Koi.h"
#include "lang/ast.h"
#include "lang/diagnostics.h"
#include "lang/lexer.h"
#include "lang/outline.h"
#include "lang/parse.h"

namespace koi::lang {

using Grammar = grammar::Koi;

// A rule of the grammar by its number there.
Rule rule_of(std::size_t index);

// One function for each rule of the grammar. A rule in which the parser met an error is left out
// by whoever lists it (see `whole`), so every other one has all its parts.
class Builder {
 public:
  Builder(const Source& source, const Lexed& lexed, std::uint32_t source_number, Language language)
      : source_(source), lexed_(lexed), number_(source_number), language_(language) {}

  ast::File file(Grammar::FileContext* ctx);
  std::vector<Diagnostic> diagnostics;
  // Where the parser met errors.
  std::vector<SourceSpan> broken;

 private:
  // Words and places (parse_expressions.cpp)
  const Token& token(antlr4::tree::TerminalNode* node) const;
  const Token& token(std::size_t index) const { return lexed_.tokens[index]; }
  SourceSpan span(const Token& token) const { return {number_, token.begin, token.end}; }
  SourceSpan span(antlr4::ParserRuleContext* ctx) const;
  static SourceSpan from_to(SourceSpan first, SourceSpan last);
  const std::string& value(const Token& token) const { return lexed_.values[token.value]; }
  std::string slice(SourceSpan place) const { return std::string(source_.slice(place)); }
  // Whether the parser met no error in it, so that every part is there.
  static bool whole(antlr4::ParserRuleContext* ctx);
  // Whether an error covers its last word, or stands right behind it: then it means something else.
  bool misread(antlr4::ParserRuleContext* ctx) const;
  bool good(antlr4::ParserRuleContext* ctx) const { return whole(ctx) && !misread(ctx); }
  void report(Code code, SourceSpan place, std::initializer_list<std::string> arguments = {}) {
    diagnostics.push_back(make(code, place, language_, arguments));
  }

  ast::Name name_of(const Token& token);
  ast::Name name(Grammar::NameContext* ctx);
  ast::Name name(Grammar::WordContext* ctx);
  ast::Name name(Grammar::LabelContext* ctx);
  std::vector<ast::Name> names(const std::vector<Grammar::NameContext*>& all,
                               std::size_t first = 0);
  ast::Alias alias(Grammar::AliasContext* ctx);
  ast::TextLiteral text(Grammar::TextContext* ctx);
  ast::PlainText plain_text(Grammar::PlainTextContext* ctx);

  // Expressions
  ast::Expr expression(Grammar::ExpressionContext* ctx);
  ast::Expr conjunction(Grammar::ConjunctionContext* ctx);
  ast::Expr negation(Grammar::NegationContext* ctx);
  ast::Expr comparison(Grammar::ComparisonContext* ctx);
  ast::Expr sum(Grammar::SumContext* ctx);
  ast::Expr product(Grammar::ProductContext* ctx);
  ast::Expr factor(Grammar::FactorContext* ctx);
  ast::Expr primary(Grammar::PrimaryContext* ctx);
  ast::Expr in_parentheses(Grammar::ExpressionContext* ctx, SourceSpan place);
  ast::Expr amount(Grammar::AmountContext* ctx);
  ast::Expr literal(const Token& token);
  ast::Expr value(Grammar::ValueContext* ctx);
  ast::Expr list(Grammar::ListContext* ctx);
  ast::Expr members(Grammar::MembersContext* ctx);
  ast::Expr path_expression(Grammar::PathContext* ctx);
  ast::Expr no(antlr4::tree::TerminalNode* node);
  ast::Path path(Grammar::PathContext* ctx);
  ast::Measure measure(Grammar::MeasureContext* ctx);
  ast::CompareOp comparator(Grammar::ComparatorContext* ctx);
  std::optional<ast::Expr> sum_if(bool there, const std::vector<Grammar::SumContext*>& sums,
                                  std::size_t& next);
  bool chain_fits(antlr4::ParserRuleContext* ctx, std::size_t parts);

  // Phrases
  ast::DurationLiteral duration(Grammar::DurationContext* ctx);
  ast::DurationLiteral duration(Grammar::WithinContext* ctx) { return duration(ctx->duration()); }
  template <class Context>
  std::optional<ast::DurationLiteral> duration_if(Context* ctx) {
    if (ctx == nullptr) return std::nullopt;
    return duration(ctx);
  }
  Span duration_value(const Token& token);
  ast::TimeLiteral time(Grammar::TimeContext* ctx);
  std::optional<ast::TimeLiteral> time_if(Grammar::TimeContext* ctx);
  ast::DateLiteral date(Grammar::DateContext* ctx);
  ast::DateRange date_range(Grammar::DateRangeContext* ctx);
  int weekday(Grammar::WeekdayContext* ctx);
  std::variant<Span, ast::CalendarUnit> calendar_unit(Grammar::CalendarUnitContext* ctx);
  Span unit_span(Grammar::CalendarUnitContext* ctx);
  ast::Schedule schedule(Grammar::ScheduleContext* ctx);
  ast::Period period(Grammar::PeriodContext* ctx);
  ast::EventPattern pattern(Grammar::EventPatternContext* ctx);
  ast::EventPattern pattern(ast::Name event, bool any, SourceSpan begin,
                            Grammar::EventTailContext* tail);
  std::vector<ast::Setting> settings(Grammar::SettingsContext* ctx);
  ast::Gift gift(Grammar::GiftContext* ctx);
  ast::Assignment assignment(Grammar::AssignmentContext* ctx);
  ast::BudgetClause budget(Grammar::BudgetClauseContext* ctx);
  ast::LimitClause limit(Grammar::LimitClauseContext* ctx);

  // Declarations (parse_declarations.cpp)
  std::optional<ast::Declaration> declaration(Grammar::DeclarationContext* ctx);
  ast::EventDecl event(Grammar::EventDeclarationContext* ctx);
  ast::Field field(Grammar::FieldContext* ctx);
  ast::Type type(Grammar::TypeContext* ctx);
  ast::CustomerDecl customer(Grammar::CustomerDeclarationContext* ctx);
  ast::TierDecl tier(Grammar::TierDeclarationContext* ctx);
  std::vector<ast::ContentItem> content_items(Grammar::ContentBlockContext* ctx);
  ast::ContentItem content_item(Grammar::ContentItemContext* ctx);
  ast::ChannelDecl channel(Grammar::ChannelDeclarationContext* ctx);
  ast::ChannelOpening opening(Grammar::OpeningContext* ctx);
  ast::CouponDecl coupon(Grammar::CouponDeclarationContext* ctx);
  ast::RedPacketDecl red_packet(Grammar::RedPacketDeclarationContext* ctx);
  ast::PointsDecl points(Grammar::PointsDeclarationContext* ctx);
  ast::PrizeDrawDecl prize_draw(Grammar::PrizeDrawDeclarationContext* ctx);
  ast::ReferralDecl referral(Grammar::ReferralDeclarationContext* ctx);
  ast::PolicyDecl policy(Grammar::PolicyDeclarationContext* ctx);
  ast::PolicyCap cap(Grammar::PolicyClauseContext* ctx);

  // Campaigns and tests (parse_campaigns.cpp)
  ast::CampaignDecl campaign(Grammar::CampaignDeclarationContext* ctx);
  ast::CampaignClause clause(Grammar::CampaignClauseContext* ctx);
  ast::LeaveClause leave(Grammar::CampaignClauseContext* ctx);
  ast::Trigger trigger(Grammar::TriggerContext* ctx);
  ast::EventTrigger sequence(ast::EventPattern event, SourceSpan place,
                             Grammar::SequenceContext* ctx);
  std::optional<ast::Expr> for_whom(Grammar::ForWhomContext* ctx);
  ast::Block block(Grammar::BlockContext* ctx);
  std::optional<ast::Block> block_if(bool there, Grammar::BlockContext* ctx);
  ast::Step step(Grammar::StepContext* ctx);
  ast::SendStep send(Grammar::SendStepContext* ctx);
  ast::WaitUntilStep wait_until(Grammar::WaitUntilStepContext* ctx);
  ast::IfStep::Branch branch(Grammar::BranchContext* ctx);
  ast::TestDecl test(Grammar::TestDeclarationContext* ctx);
  ast::TestLine test_line(Grammar::TestLineContext* ctx);
  ast::Expectation expectation(Grammar::ExpectationContext* ctx);
  ast::ExpectAction expected_action(Grammar::ExpectationContext* ctx);

  const Source& source_;
  const Lexed& lexed_;
  std::uint32_t number_;
  Language language_;
};

}  // namespace koi::lang
