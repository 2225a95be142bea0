// How a file's words make sentences: which rule of the grammar read each stretch of tokens. For
// tools that keep the text itself, comments and all, where the tree of ast.h has only what it
// means.
#pragma once

#include <cstdint>
#include <vector>

#include "lang/lexer.h"
#include "lang/parse.h"

namespace koi::lang {

// The rules of grammar/Koi.g4 by their names; a rule that is not listed here is Other.
// clang-format off
#define KOI_RULES(KOI_RULE) \
  KOI_RULE(File) KOI_RULE(Declaration) KOI_RULE(Alias) KOI_RULE(PlainText) KOI_RULE(Separator) \
  KOI_RULE(EventDeclaration) KOI_RULE(Field) KOI_RULE(FieldTail) KOI_RULE(FieldDefault) \
  KOI_RULE(Type) KOI_RULE(EnumType) KOI_RULE(EnumValue) KOI_RULE(CustomerDeclaration) \
  KOI_RULE(CustomerItem) KOI_RULE(IdentifyBy) KOI_RULE(OnEvent) KOI_RULE(Assignment) \
  KOI_RULE(MetricDeclaration) KOI_RULE(SegmentDeclaration) KOI_RULE(LetDeclaration) \
  KOI_RULE(TierDeclaration) KOI_RULE(TierLevel) KOI_RULE(TierShare) KOI_RULE(AudienceDeclaration) \
  KOI_RULE(ContentDeclaration) KOI_RULE(ContentBlock) KOI_RULE(ContentItem) \
  KOI_RULE(ChannelDeclaration) KOI_RULE(ChannelClause) KOI_RULE(Opening) KOI_RULE(TeamDeclaration) \
  KOI_RULE(WebhookDeclaration) KOI_RULE(BudgetClause) KOI_RULE(BudgetItem) KOI_RULE(LimitClause) \
  KOI_RULE(LimitItem) KOI_RULE(CouponDeclaration) KOI_RULE(CouponClause) \
  KOI_RULE(RedPacketDeclaration) KOI_RULE(RedPacketClause) KOI_RULE(PointsDeclaration) \
  KOI_RULE(PointsClause) KOI_RULE(PrizeDrawDeclaration) KOI_RULE(PrizeDrawClause) \
  KOI_RULE(ReferralDeclaration) KOI_RULE(ReferralClause) KOI_RULE(Refusal) KOI_RULE(Gift) \
  KOI_RULE(PolicyDeclaration) KOI_RULE(PolicyClause) KOI_RULE(CapItem) \
  KOI_RULE(CampaignDeclaration) KOI_RULE(CampaignItem) KOI_RULE(CampaignClause) \
  KOI_RULE(LeaveCondition) KOI_RULE(Trigger) KOI_RULE(ForWhom) KOI_RULE(Sequence) \
  KOI_RULE(ThenPart) KOI_RULE(Absence) KOI_RULE(EventPattern) KOI_RULE(EventTail) KOI_RULE(Block) \
  KOI_RULE(Step) KOI_RULE(SendStep) KOI_RULE(SendTail) KOI_RULE(ReplyStep) KOI_RULE(GiveStep) KOI_RULE(ClawBackStep) \
  KOI_RULE(TakeStep) KOI_RULE(WaitStep) KOI_RULE(WaitUntilStep) KOI_RULE(Moment) \
  KOI_RULE(WaitForStep) KOI_RULE(IfStep) KOI_RULE(Branch) KOI_RULE(SplitStep) KOI_RULE(SplitArm) \
  KOI_RULE(ChooseStep) KOI_RULE(ChooseArm) KOI_RULE(TagStep) KOI_RULE(SetStep) KOI_RULE(EmitStep) \
  KOI_RULE(NotifyStep) KOI_RULE(CallStep) KOI_RULE(StartStep) KOI_RULE(RepeatStep) \
  KOI_RULE(StopStep) KOI_RULE(Settings) KOI_RULE(Setting) KOI_RULE(Label) KOI_RULE(Value) \
  KOI_RULE(TestDeclaration) KOI_RULE(TestLine) KOI_RULE(GivenCodes) KOI_RULE(TestAct) KOI_RULE(Expectation) \
  KOI_RULE(ExpectedAction) KOI_RULE(ExpectedDeed) KOI_RULE(ExpectedTail) KOI_RULE(Schedule) \
  KOI_RULE(Period) KOI_RULE(Per) KOI_RULE(DateRange) KOI_RULE(Within) KOI_RULE(Duration) \
  KOI_RULE(Time) KOI_RULE(Date) KOI_RULE(Weekday) KOI_RULE(CalendarUnit) KOI_RULE(Expression) \
  KOI_RULE(Conjunction) KOI_RULE(Negation) KOI_RULE(Comparison) KOI_RULE(Comparator) \
  KOI_RULE(Members) KOI_RULE(Amount) KOI_RULE(Sum) KOI_RULE(Product) KOI_RULE(Factor) \
  KOI_RULE(Primary) KOI_RULE(Literal) KOI_RULE(Text) KOI_RULE(List) KOI_RULE(Call) KOI_RULE(Path) \
  KOI_RULE(Measure) KOI_RULE(Aggregate) KOI_RULE(Window) KOI_RULE(Name) KOI_RULE(Word)
// clang-format on
enum class Rule : std::uint8_t {
  Other,
#define KOI_RULE(name) name,
  KOI_RULES(KOI_RULE)
#undef KOI_RULE
};

struct Stretch {
  Rule rule = Rule::Other;
  std::uint32_t first = 0;  // tokens [first, last)
  std::uint32_t last = 0;
  std::uint32_t parent = 0;  // in Outline::stretches; the file is its own
  std::uint32_t next = 0;    // behind the last stretch within this one
};

struct Outline {
  std::vector<Stretch> stretches;        // each before those within it; the first is the file
  std::vector<std::uint32_t> innermost;  // for each token, the stretch that has it itself
};

struct Outlined {
  Lexed lexed;
  Parsed parsed;
  Outline outline;  // empty where `parsed` has errors
};

// As parse() does, and the words and sentences beside the tree. Thread-safe.
Outlined outline(const Source& source, std::uint32_t source_number, Language language);

}  // namespace koi::lang
