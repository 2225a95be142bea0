// The sentences of Koi. Words come from a lexer written by hand (engine/lang/lexer.h); the rules
// `name` and `word`, and the keyword tokens, come from engine/lang/keywords.def by way of CMake.
//
//   name   any word, where nothing but a name may stand
//   word   any word but those that an expression itself begins or goes on with (in, not, where, …)
//
// Every statement begins with a word of its own, so one word tells what follows; no predicates.
// The rules that errors are caught at are listed in engine/lang/parse_errors.cpp.
parser grammar Koi;

import Keywords;

file: (declaration SEMICOLON?)* EOF;

declaration
  : eventDeclaration
  | customerDeclaration
  | metricDeclaration
  | segmentDeclaration
  | letDeclaration
  | tierDeclaration
  | audienceDeclaration
  | contentDeclaration
  | couponDeclaration
  | redPacketDeclaration
  | pointsDeclaration
  | prizeDrawDeclaration
  | referralDeclaration
  | channelDeclaration
  | teamDeclaration
  | webhookDeclaration
  | policyDeclaration
  | campaignDeclaration
  | testDeclaration
  ;

alias: TEXT;
plainText: text;
separator: COMMA | SEMICOLON;

// ---- vocabulary

eventDeclaration: EVENT name alias? (TO EVERYONE)? LBRACE (field separator?)* RBRACE;

field: label alias? COLON type fieldTail*;
fieldTail: ASSIGN fieldDefault | PRIVATE;
fieldDefault: NO | sum;
type: LIST_OF? (enumType | name) QUESTION?;
enumType: ENUM LPAREN enumValue (COMMA enumValue)* COMMA? RPAREN;
enumValue: name alias?;

customerDeclaration: CUSTOMER alias? LBRACE (customerItem separator?)* RBRACE;
customerItem: field | identifyBy | onEvent;
identifyBy: IDENTIFY_BY name (COMMA name)*;
onEvent: ON eventPattern SET assignment (COMMA assignment)*;
assignment: path ASSIGN value;

metricDeclaration: METRIC name alias? ASSIGN measure;
segmentDeclaration: SEGMENT name alias? WHEN expression;
letDeclaration: LET name alias? ASSIGN expression;

tierDeclaration
  : TIER name alias? BY sum (AMONG expression)? (INTO QUINTILES)? (REFRESHED schedule)?
    (LBRACE (tierLevel separator?)* RBRACE)?
  ;
tierLevel: label alias? COLON tierShare;
tierShare: TOP sum | NEXT sum | THE_REST;

audienceDeclaration: AUDIENCE name alias? FROM plainText BY name;

// ---- content and channels

contentDeclaration: CONTENT name alias? contentBlock;
contentBlock: LBRACE (contentItem separator?)* RBRACE;
contentItem
  : TITLE text
  | BODY text
  | LINK text
  | TEMPLATE plainText settings?
  | FOR name (COMMA name)* contentBlock
  | LANGUAGE plainText contentBlock
  ;

channelDeclaration: CHANNEL name alias? LBRACE (channelClause separator?)* RBRACE;
channelClause
  : CLASS name
  | COST sum
  | RATE sum per calendarUnit
  | CLEARED_FOR name (COMMA name)*
  | REACH_BY name
  | OPEN opening (COMMA opening)*
  ;
opening: duration AFTER (ANY_EVENT | word) (WHERE expression)? (UP_TO sum MESSAGES?)?;

teamDeclaration: TEAM name alias?;
webhookDeclaration: WEBHOOK name alias?;

// ---- incentives

budgetClause: BUDGET budgetItem (COMMA budgetItem)*;
budgetItem: sum (MESSAGES | ISSUED | DRAWS)? period?;
limitClause: LIMIT limitItem (COMMA limitItem)*;
limitItem: sum per path period?;

couponDeclaration: COUPON name alias? LBRACE (couponClause separator?)* RBRACE;
couponClause
  : OFF amount (UP_TO amount)? (ON_ORDERS_FROM amount)? (WHERE expression)?
  | CODES GENERATED plainText
  | CODES FROM_POOL plainText (LOW_AT sum)?
  | VALID (duration | dateRange)
  | COMBINE_WITH name (COMMA name)*
  | budgetClause
  | limitClause
  ;

redPacketDeclaration: RED_PACKET name alias? LBRACE (redPacketClause separator?)* RBRACE;
redPacketClause
  : AMOUNT RANDOM sum TO sum (AVERAGE sum)?
  | AMOUNT sum
  | TOTAL sum SPLIT_AMONG sum (EQUALLY | BY_LUCK) (AT_LEAST sum)?
  | CLAIM within
  | PAY VIA name
  | WISHES text
  | budgetClause
  | limitClause
  ;

pointsDeclaration: POINTS name alias? LBRACE (pointsClause separator?)* RBRACE;
pointsClause: EXPIRE duration | PENDING duration | WORTH sum | budgetClause | limitClause;

prizeDrawDeclaration: PRIZE_DRAW name alias? LBRACE (prizeDrawClause separator?)* RBRACE;
prizeDrawClause: PRIZE (plainText | gift) WEIGHT sum (STOCK sum)? | budgetClause | limitClause;

referralDeclaration: REFERRAL name alias? LBRACE (referralClause separator?)* RBRACE;
referralClause
  : LINK text
  | BIND (FIRST | LAST) TOUCH within?
  | QUALIFY WHEN eventPattern within?
  | REWARD (INVITER (OF INVITER)* | INVITEE) GIVE gift (AT word)?
  | AT sum FRIENDS GIVE gift (TO (INVITER | INVITEE))?
  | REFUSE refusal (COMMA refusal)*
  | HOLD_FOR_REVIEW WHEN MORE_THAN sum FRIENDS within
  | CLAW_BACK WHEN eventPattern within?
  | budgetClause
  | limitClause
  ;
refusal: SAME name | EXISTING_CUSTOMER | name;

gift: (NUMBER | LPAREN expression RPAREN)? name;

// ---- policy

policyDeclaration: POLICY LBRACE (policyClause separator?)* RBRACE;
policyClause
  : TIME_ZONE plainText
  | CURRENCY name
  | QUIET_HOURS time TO time (DELAY | DROP)?
  | CAP name capItem (COMMA capItem)*
  | CONSENT NOT? REQUIRED FOR name (COMMA name)*
  | LATENESS duration
  | CAMPAIGNS LBRACE (campaignClause separator?)* RBRACE
  | limitClause
  ;
capItem: sum period | sum MORE FOR PRIORITY comparator sum;

// ---- campaigns

campaignDeclaration
  : CAMPAIGN name alias? LBRACE (campaignItem separator?)* RBRACE
  ;
// Their order (clauses, then triggers each with its steps) is asked when the tree is built, so that
// one thing out of place hides nothing else.
campaignItem: campaignClause | trigger | step;
campaignClause
  : CLASS name
  | FOR expression
  | ENTER (ALWAYS | ONCE (PER path)? (per duration)?)
  | HOLD_OUT sum
  | GOAL eventPattern within?
  | LEAVE WHEN leaveCondition
  | budgetClause
  | dateRange
  | PRIORITY sum
  ;
// A bare word is the event of the first line, which may turn out to be a condition's name.
leaveCondition: ANY_EVENT eventTail | word eventTail | expression;

trigger
  : WHEN CALLED
  | WHEN (ENTERS | ENTER) expression
  | WHEN (LEAVES | LEAVE) expression
  | WHEN ANY_EVENT eventTail sequence
  | WHEN word eventTail sequence
  | WHEN sum REACHES sum
  | AT sum forWhom?
  | schedule forWhom?
  | (ON | duration (BEFORE | AFTER)) path (AT time)? forWhom?
  ;
forWhom: FOR expression;
sequence: thenPart* absence* within?;
thenPart: THEN eventPattern within? (WITHOUT eventPattern)* within?;
absence: AND_NO eventPattern;
eventPattern: (ANY_EVENT | word) eventTail;
eventTail: (AS name)? (WHERE expression)?;

// ---- steps

block: LBRACE (step separator?)* RBRACE;
step
  : sendStep
  | replyStep
  | giveStep
  | clawBackStep
  | takeStep
  | waitStep
  | waitUntilStep
  | waitForStep
  | ifStep
  | splitStep
  | chooseStep
  | tagStep
  | setStep
  | emitStep
  | notifyStep
  | callStep
  | startStep
  | repeatStep
  | stopStep
  ;
sendStep: SEND name VIA name (COMMA? ELSE name)* sendTail*;
sendTail: within | OR WAIT UP_TO duration;
replyStep: REPLY name TO name within?;
giveStep: GIVE gift (TO INVITER)? OR_WHAT_IS_LEFT? (ELSE block)?;
clawBackStep: CLAW_BACK name;
takeStep: TAKE gift block? (ELSE block)?;
waitStep: WAIT duration;
waitUntilStep: WAIT (UNTIL | TO) (time | weekday AT? time | moment);
moment: (duration (BEFORE | AFTER))? sum (AT time)?;
waitForStep: WAIT FOR? eventPattern UP_TO duration block? (ELSE block)?;
ifStep: IF branch (ELSE IF branch)* (ELSE block)?;
branch: expression block;
splitStep: SPLIT LBRACE splitArm+ RBRACE;
splitArm: sum plainText? block separator?;
chooseStep: CHOOSE_FIRST LBRACE chooseArm+ (ELSE block)? RBRACE;
chooseArm: WHEN branch separator?;
tagStep: (TAG | UNTAG) plainText;
setStep: SET assignment (COMMA assignment)*;
emitStep: EMIT name settings;
notifyStep: NOTIFY name text within?;
callStep: CALL name settings?;
startStep: START name;
repeatStep: REPEAT per duration UP_TO sum TIMES block;
stopStep: STOP;

settings: LBRACE (setting separator?)* RBRACE;
setting: label COLON value (COMMA value)*;
// A value may stand before it, so a word by which a condition goes on (in, not, and, or, contains)
// needs back-quotes here.
label: word | NO | WHERE;
value: NO | expression;

// ---- tests

testDeclaration: TEST plainText LBRACE (testLine SEMICOLON?)* RBRACE;
testLine
  : GIVEN (CUSTOMER name settings | name FAILS_WITH name | givenCodes)
  | AT sum (expectation | testAct)?
  | UNTIL sum
  | expectation
  ;
givenCodes: CODES FROM_POOL plainText LBRACKET (plainText (COMMA plainText)* COMMA?)? RBRACKET;
testAct
  : EVERYONE name settings
  | name name settings
  | name GETS_LINK name AS name
  | sum CUSTOMERS CLAIM name OF name
  | (REDEEM | LOCK | ROLL_BACK) name OF name settings?
  ;
expectation
  : EXPECT ( NOTHING MORE?
           | CLAIMED name (TOTAL sum)? (EACH_FROM sum (TO sum)?)?
           | NO? REFUSE? expectedAction
           )
  ;
expectedAction: expectedDeed expectedTail*;
expectedDeed
  : (ENTER | LEAVE | GOAL | SEND | REPLY | NOTIFY | CALL | EMIT | START | CLAIM | REDEEM) name
  | (GIVE | CLAW_BACK) gift
  | SET path
  | (TAG | UNTAG) plainText
  ;
expectedTail
  : (TO | FOR | FROM) name
  | VIA name
  | BECAUSE name
  | AMOUNT FROM sum TO sum
  | AMOUNT sum
  ;

// ---- times and periods

schedule
  : per DAY AT time
  | per weekday AT time
  | ON ORDINAL OF per MONTH AT time
  | ON? per MONTH OF? ORDINAL AT time
  ;
period: per (duration | CALENDAR? calendarUnit);
per: PER | EVERY;
dateRange: FROM date TO date;
within: WITHIN duration INSIDE?;
duration: DURATION;
time: TIME;
date: DATE;
weekday: MONDAY | TUESDAY | WEDNESDAY | THURSDAY | FRIDAY | SATURDAY | SUNDAY;
calendarUnit: SECOND | MINUTE | HOUR | DAY | WEEK | MONTH | YEAR;

// ---- expressions, the loosest first

expression: conjunction (OR conjunction)*;
conjunction: negation (AND negation)*;
negation: NOT negation | comparison;
comparison
  : sum ( comparator (NO | sum)
        | NOT? IN members
        | CONTAINS (ANY_OF? (path | list | text))
        | IS_KNOWN
        | IS_MISSING
        )?
  | IN members
  ;
comparator: ASSIGN | EQUAL | NOT_EQUAL | LESS | LESS_EQUAL | GREATER | GREATER_EQUAL;
members: path | list;
// An amount behind which `where` may stand: a metric without a name would take it for its own.
amount: literal | path | LPAREN expression RPAREN;
sum: product ((PLUS | MINUS) product)*;
product: factor ((STAR | SLASH) factor)*;
factor: MINUS factor | primary;
primary
  : literal
  | text
  | YES
  | FALSE
  | measure
  | call
  | path
  | list
  | LPAREN expression RPAREN
  ;
literal: NUMBER | PERCENT | MONEY | DURATION | TIME | DATE | LOCAL_TIME | INSTANT;
text: TEXT | TEXT_OPEN (TEXT_CHUNK | INSERT_OPEN expression INSERT_CLOSE)* TEXT_CLOSE;
list: LBRACKET (value (COMMA value)* COMMA?)? RBRACKET;
call: word LPAREN (expression (COMMA expression)*)? RPAREN;
path: word (DOT name)*;

measure: aggregate (ANY_EVENT | path) (WHERE expression)? window?;
aggregate
  : COUNT | SUM | AVERAGE | MIN | MAX | FIRST | LAST | DISTINCT | TIME_SINCE_LAST | STREAK | EVER
  | NEVER | MOST_FREQUENT | VALUES
  ;
window: OVER duration | THIS calendarUnit;
