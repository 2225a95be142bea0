"""Random programs and random events, from a seed; and a program as Koi text. Times fall on exact
deadlines, midnights, clock changes and on one another far more often than in life."""

import datetime
import json
import random

from meaning import DAY, HOUR, MINUTE, SECOND, WEEK, Campaign, Channel, Clock, Content, Event, Match
from meaning import Metric, Program, Segment, Trigger

EVENTS = ["visit", "order", "click", "gift"]
WORDS = ["red", "blue", "green"]
SPANS = [10 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, WEEK]
CLOCKS = [  # a zone, and a day after which something happens to its clock
    ("Asia/Shanghai", datetime.datetime(2026, 2, 26)),
    ("UTC", datetime.datetime(2027, 12, 28)),
    ("America/New_York", datetime.datetime(2026, 3, 5)),
    ("America/New_York", datetime.datetime(2026, 10, 29)),
    ("Europe/London", datetime.datetime(2026, 3, 26)),
    ("Australia/Lord_Howe", datetime.datetime(2026, 4, 2)),
    ("America/Sao_Paulo", datetime.datetime(2018, 11, 1)),  # the day without a midnight
]
NUMBERS = {"int": [0, 1, 2, 3, 5], "money": [0, 100, 250, 999, 2000], "duration": SPANS}


def const(kind, value):
    return ("const", kind, value)


class World:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.zone, self.start = self.dice.choice(CLOCKS)
        self.clock = Clock(self.zone)
        self.metrics, self.kinds = [], {}
        self.segments = []
        self.attributes = [("score", "int", 0), ("colour", "text", None), ("marked", "bool", False)]
        self.sets = [s for s in (("order", "colour", "k"), ("click", "score", "n")) if self.often(0.5)]
        self.channels = [Channel("push"), Channel("sms")]
        self.with_keys = self.often(0.3)
        self.make_metrics()
        self.make_segments()
        self.contents = [
            Content("hello"),
            Content("tell", hole=("attribute", "colour")),
            Content("figure", hole=("metric", self.dice.choice(self.metrics).name)),
            Content("short", only="sms"),
        ]
        # A hole must have a text; lists have none.
        if self.kinds[self.contents[2].hole[1]] in ("list", "bool"):
            self.contents[2] = Content("figure")
        campaigns = [self.campaign(i) for i in range(self.dice.randrange(2, 6))]
        self.program = Program(
            zone=self.zone,
            metrics=self.metrics,
            segments=self.segments,
            contents=self.contents,
            channels=self.channels,
            campaigns=campaigns,
            attributes=self.attributes,
            sets=self.sets,
            quiet=self.dice.choice([None, None, (22, 8, "delay"), (22, 8, "drop"), (12, 14, "delay")]),
            caps=self.caps(),
        )
        self.events, self.until = self.make_events()

    def often(self, share):
        return self.dice.random() < share

    def caps(self):
        """Of campaigns with keys the places of a cap may go to any key, so these programs have none."""
        if self.with_keys or self.often(0.2):
            return []
        whom = self.dice.choice(["marketing", "marketing", "push", "push", "push", "service", "sms"])
        caps = [(whom, self.dice.choice([1, 1, 2]), self.dice.choice([HOUR, DAY, 3 * DAY, "day"]))]
        if self.often(0.5):
            caps.append((whom, 3, self.dice.choice([3 * DAY, WEEK])))
        return caps

    # --- Metrics, conditions ---

    def make_metrics(self):
        for i in range(self.dice.randrange(3, 7)):
            aggregate = self.dice.choice(
                ["count", "count", "sum", "sum", "average", "min", "max", "first", "last", "distinct", "since", "since",
                 "streak", "ever", "never", "frequent", "values"])
            name, kind = None, None
            if aggregate in ("sum", "min", "max"):
                name, kind = self.dice.choice([("n", "int"), ("m", "money"), ("o", "int")])
            elif aggregate == "average":
                name, kind = "m", "money"
            elif aggregate in ("first", "last"):
                name, kind = self.dice.choice([("n", "int"), ("m", "money"), ("k", "text")])
            elif aggregate == "distinct":
                name, kind = "k", "int"
            elif aggregate == "frequent":
                name, kind = "k", "text"
            elif aggregate == "values":
                name, kind = "k", "list"
            else:
                kind = {"count": "int", "streak": "int", "since": "duration"}.get(aggregate, "bool")
            window = self.dice.choice([None, *self.dice.sample(SPANS, 3), "day", "week", "month", "year"])
            if aggregate == "streak":
                window = None  # it always runs up to today
            where = self.field_condition([]) if self.often(0.3) else None
            metric = Metric(f"m{i}", aggregate, self.dice.choice(EVENTS), name, where, window)
            self.metrics.append(metric)
            self.kinds[metric.name] = kind

    def field_condition(self, aliases):
        """What a `where` asks: of the event alone, or of it and of an event before it."""
        name, kind = self.dice.choice([("n", "int"), ("m", "money"), ("k", "text"), ("o", "int")])
        other = None
        if aliases and self.often(0.6):
            other = ("slot", self.dice.choice(aliases), name)
        if kind == "text":
            return ("compare", self.dice.choice(["==", "!="]), ("field", name), other or const("text", self.dice.choice(WORDS)))
        operator = self.dice.choice(["==", "!=", "<", "<=", ">", ">="])
        return ("compare", operator, ("field", name), other or const(kind, self.dice.choice(NUMBERS[kind])))

    def atom(self, segments):
        if segments and self.often(0.25):
            return ("segment", self.dice.randrange(segments))
        if self.often(0.2):
            return self.dice.choice(
                [
                    ("compare", ">=", ("attribute", "score"), const("int", self.dice.choice([1, 2, 3]))),
                    ("compare", "==", ("attribute", "colour"), const("text", self.dice.choice(WORDS))),
                    ("known", ("attribute", "colour")),
                    ("attribute", "marked"),
                ])
        name = self.dice.choice(self.metrics).name
        kind, metric = self.kinds[name], ("metric", name)
        if kind == "bool":
            return metric
        if kind == "text":
            return self.dice.choice(
                [("compare", self.dice.choice(["==", "!="]), metric, const("text", self.dice.choice(WORDS))),
                 ("among", metric, (const("text", "red"), const("text", "blue"))), ("missing", metric)])
        if kind == "list":
            return ("contains", metric, const("text", self.dice.choice(WORDS)))
        bound = const(kind, self.dice.choice(NUMBERS[kind]))
        operator = self.dice.choice(["==", "<", "<=", ">", ">=", ">="] if kind != "duration" else ["<", "<=", ">", ">="])
        if kind == "int" and self.often(0.15):
            other = self.dice.choice([m.name for m in self.metrics if self.kinds[m.name] == "int"])
            metric = (self.dice.choice(["+", "-"]), metric, ("metric", other))
        if self.often(0.1):
            metric = ("default", metric, const(kind, self.dice.choice(NUMBERS[kind])))
        return ("compare", operator, metric, bound)

    def condition(self, segments=None):
        segments = len(self.segments) if segments is None else segments
        first = self.atom(segments)
        if self.often(0.2):
            first = ("not", first)
        if self.often(0.3):
            first = (self.dice.choice(["and", "or"]), first, self.atom(segments))
        return first

    def make_segments(self):
        for i in range(self.dice.randrange(1, 4)):
            self.segments.append(Segment(f"s{i}", self.condition(i)))

    # --- Campaigns ---

    def match(self, alias=None, aliases=(), any_event=0.05):
        event = None if self.often(any_event) else self.dice.choice(EVENTS)
        where = self.field_condition(list(aliases)) if event and self.often(0.35) else None
        return Match(event, alias if event else None, where)

    def trigger(self, alias, names):
        kind = self.dice.choice(
            ["event", "event", "sequence", "sequence", "absence", "absence", "absence", "enters", "enters", "leaves", "reaches",
             "reaches", "every", "at"])
        if alias and kind not in ("event", "sequence", "absence"):
            kind = "absence"
        trigger = Trigger(kind)
        if kind in ("event", "sequence", "absence"):
            trigger.first = self.match(alias=names[0], any_event=0)
        if kind == "sequence":
            trigger.thens = [self.match(alias=names[1], aliases=names[:1], any_event=0)]
            if self.often(0.3):
                trigger.thens.append(self.match(alias=names[2], aliases=names[:2], any_event=0))
            trigger.nots = [self.match(aliases=names[:1])] if self.often(0.4) else []
            parts = len(trigger.thens)
            trigger.deadlines = [self.dice.choice(SPANS) if self.often(0.4) else None for _ in range(parts - 1)] + [self.dice.choice(SPANS)]
            if parts > 1 and self.often(0.4):
                trigger.before = [self.match(aliases=names[:1])]
            if self.often(0.4):
                trigger.absent = [self.match(aliases=names[:parts + 1]) for _ in range(self.dice.choice([1, 1, 2]))]
                trigger.quiet = self.dice.choice(SPANS)
        if kind == "absence":
            trigger.nots = [self.match(aliases=names[:1]) for _ in range(self.dice.choice([1, 1, 2]))]
        if kind == "absence":
            trigger.within = self.dice.choice(SPANS)
        if kind in ("enters", "leaves"):
            trigger.condition = (
                ("segment", self.dice.randrange(len(self.segments))) if self.often(0.6) else self.condition()
            )
        if kind == "reaches":
            numbers = [m for m in self.metrics if self.kinds[m.name] in ("int", "money")]
            if not numbers:
                return Trigger("event", first=self.match(alias=names[0], any_event=0))
            metric = self.dice.choice(numbers)
            trigger.metric = metric.name
            trigger.bound = const(self.kinds[metric.name], self.dice.choice(NUMBERS[self.kinds[metric.name]][1:]))
        if kind == "every":
            trigger.every = self.dice.choice(["day", "day", self.dice.randrange(7), ("month", self.dice.choice([1, 31]))])
            trigger.time = self.dice.choice([(9, 0), (2, 30), (0, 0), (23, 59)])
            trigger.condition = self.condition()
        if kind == "at":
            trigger.at = self.clock.instant(self.start + datetime.timedelta(days=self.dice.randrange(1, 12), hours=9))
            trigger.condition = self.condition()
        return trigger

    def campaign(self, index):
        keyed = self.with_keys and self.often(0.6)
        campaign = Campaign(
            name=f"c{index}",
            klass="service" if keyed else self.dice.choice(["marketing", "marketing", "service", "transactional"]),
            priority=self.dice.choice([50, 50, 60, 40]),
            enter=self.dice.choice([("once",), ("always",), ("always",), ("every", self.dice.choice(SPANS[2:]))]),
        )
        triggers = [self.trigger(keyed, ["a", "b", "c"])]
        if not keyed and self.often(0.3):
            triggers.append(self.trigger(False, ["d", "e", "f"]))
        aliases = ["a"] if len(triggers) == 1 and triggers[0].first else []
        if aliases and triggers[0].kind == "sequence":
            aliases += [part.alias for part in triggers[0].thens]
        if keyed:
            if campaign.enter == ("always",):
                campaign.enter = ("once",)
            campaign.key = ("slot", "a", self.dice.choice(["k", "n"]))
        if self.often(0.3):
            campaign.audience = self.condition()
        campaign.hold_out = self.often(0.05)
        if self.often(0.15):
            first = self.start.date() + datetime.timedelta(days=self.dice.randrange(0, 6))
            last = first + datetime.timedelta(days=self.dice.randrange(0, 8))
            begin, end = (
                self.clock.instant(datetime.datetime.combine(day, datetime.time()))
                for day in (first, last + datetime.timedelta(days=1))
            )
            campaign.period = (begin, end, first, last)
        early = aliases[:1]
        if self.often(0.5):
            match = self.match(aliases=early, any_event=0)
            campaign.goal = (match, self.dice.choice([None, *SPANS[2:]]))
        if self.often(0.5):
            campaign.leaves.append(self.condition() if self.often(0.4) else self.match(aliases=early, any_event=0))
        for trigger in triggers[:-1]:
            trigger.steps = self.steps([], keyed, 0) if self.often(0.5) else None
        triggers[-1].steps = self.steps(aliases, keyed, 0)
        if triggers[0].steps is None:
            triggers[-1].steps = self.steps([], keyed, 0)
        campaign.triggers = triggers
        return campaign

    def steps(self, aliases, keyed, depth):
        return [self.step(aliases, keyed, depth) for _ in range(self.dice.randrange(1, 4))]

    def step(self, aliases, keyed, depth):
        kinds = ["send", "send", "send", "wait", "wait", "until", "for", "if", "choose", "repeat", "split"]
        kinds += [] if keyed else ["set"]
        if depth == 2:
            kinds = ["send", "wait"]
        kind = self.dice.choice(kinds)
        if kind == "send":
            channels = self.dice.choice([["push"], ["push"], ["sms"], ["push", "sms"], ["sms", "push"]])
            within = self.dice.choice([None, None, None, HOUR, DAY])
            patience = self.dice.choice([None, None, None, 6 * HOUR, 3 * DAY])
            return ("send", self.dice.choices(self.contents, [4, 2, 1, 1])[0].name, channels, within, patience)
        if kind == "wait":
            return ("wait", self.dice.choice(SPANS))
        if kind == "until":
            how = self.dice.choice(["time", "weekday", "instant", "offset"])
            time = self.dice.choice([(10, 0), (2, 30), (0, 0)])
            if how == "time":
                return ("until", "time", time)
            if how == "weekday":
                return ("until", "weekday", self.dice.randrange(7), time)
            if how == "offset" and aliases:
                return ("until", "offset", ("slot", aliases[0], "t"), self.dice.choice([-1, 1]) * self.dice.choice(SPANS))
            return ("until", "instant", self.clock.instant(self.start + datetime.timedelta(days=self.dice.randrange(2, 9), hours=10)))
        if kind == "for":
            blocks = [self.steps(aliases, keyed, depth + 1), self.steps(aliases, keyed, depth + 1)]
            if self.often(0.2):
                blocks[self.dice.randrange(2)] = []
            return ("for", self.match(aliases=aliases[:1], any_event=0), self.dice.choice(SPANS), *blocks)
        if kind == "repeat":
            block = self.steps(aliases, keyed, depth + 1)
            return ("repeat", self.dice.choice(SPANS), self.dice.randrange(1, 4), block)
        if kind == "split":  # all of them take the same arm: chance is tested elsewhere
            arms = [self.steps(aliases, keyed, depth + 1) for _ in range(self.dice.randrange(1, 4))]
            return ("split", self.dice.randrange(len(arms)), arms)
        if kind in ("if", "choose"):
            arms = [(self.condition(), self.steps(aliases, keyed, depth + 1))]
            if self.often(0.3):
                arms.append((self.condition(), [("stop",)] if self.often(0.5) else self.steps(aliases, keyed, depth + 1)))
            return (kind, arms, self.steps(aliases, keyed, depth + 1) if self.often(0.5) else [])
        choices = [
            ("set", "marked", const("bool", True)),
            ("set", "score", ("+", ("attribute", "score"), const("int", 1))),
            ("set", "colour", const("text", self.dice.choice(WORDS))),
        ]
        if aliases:
            choices.append(("set", "score", ("slot", aliases[0], "o")))
        return self.dice.choice(choices)

    # --- Events ---

    def make_events(self):
        events, start = [], self.clock.instant(self.start + datetime.timedelta(hours=8))
        for customer in range(self.dice.randrange(2, 5)):
            at = start + self.dice.randrange(3 * DAY)
            for _ in range(self.dice.randrange(4, 30)):
                fields = {
                    "n": self.dice.randrange(5),
                    "m": self.dice.choice([0, 1, 100, 250, 333, 1999]),
                    "k": self.dice.choice(WORDS),
                    "t": at + self.dice.choice([-1, 1]) * self.dice.choice(SPANS),
                }
                if self.often(0.6):
                    fields["o"] = self.dice.randrange(4)
                events.append((at, self.dice.choice(EVENTS), f"u{customer}", fields))
                at = self.after(at, [e[0] for e in events])
        self.dice.shuffle(events)
        made = [Event(at, kind, who, fields, f"e{i}") for i, (at, kind, who, fields) in enumerate(events)]
        return made, max(event.time for event in made) + self.dice.choice([0, DAY, 9 * DAY])

    def after(self, at, past):
        how = self.dice.randrange(10)
        if how == 0:
            return at
        if how <= 3:
            return at + self.dice.choice(SPANS)
        if how == 4:
            return at + self.dice.choice(SPANS[:5]) + self.dice.choice([-1, 1])
        if how == 5:
            later = [t for t in (p + span for p in past for span in SPANS) if t >= at]
            return min(later, default=at)
        if how == 6:
            return self.clock.day_begin(at, 1)
        if how == 7:
            return self.clock.next("day", self.dice.choice([(9, 0), (10, 0), (22, 0), (8, 0), (2, 30)]), at)
        return at + self.dice.randrange(2 * DAY)


# --- As text -------------------------------------------------------------------------------------


def money(minor):
    return f"¥{minor // 100}.{minor % 100:02}"


def span(us):
    for name, unit in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE), ("seconds", SECOND)):
        if us % unit == 0:
            return f"{us // unit} {name if us != unit else name[:-1]}"
    raise AssertionError(us)


class Writer:
    """A program as its author would write it."""

    def __init__(self, program):
        self.program = program
        self.clock = Clock(program.zone)

    def expression(self, node):
        kind = node[0]
        if kind == "const":
            value = node[2]
            if node[1] == "money":
                return money(value)
            if node[1] == "duration":
                return span(value)
            if node[1] == "bool":
                return "true" if value else "false"
            return f'"{value}"' if node[1] == "text" else str(value)
        if kind == "attribute":
            return f"customer.{node[1]}"
        if kind in ("field", "metric"):
            return node[1]
        if kind == "slot":
            return f"{node[1]}.{node[2]}"
        if kind == "segment":
            return f"in {self.program.segments[node[1]].name}"
        if kind == "compare":
            return f"{self.part(node[2])} {node[1]} {self.part(node[3])}"
        if kind in ("and", "or", "+", "-", "*"):
            return f"{self.part(node[1])} {kind} {self.part(node[2])}"
        if kind == "not":
            return f"not {self.part(node[1])}"
        if kind == "known":
            return f"{self.part(node[1])} is known"
        if kind == "missing":
            return f"{self.part(node[1])} is missing"
        if kind == "default":
            return f"{self.part(node[1])} or {self.part(node[2])}"
        if kind == "among":
            return f"{self.part(node[1])} in [{', '.join(self.expression(item) for item in node[2])}]"
        if kind == "contains":
            return f"{self.part(node[1])} contains {self.expression(node[2])}"
        raise AssertionError(kind)

    def part(self, node):
        text = self.expression(node)
        return text if node[0] in ("const", "attribute", "field", "metric", "slot") else f"({text})"

    def match(self, match):
        text = match.event or "any event"
        if match.alias:
            text += f" as {match.alias}"
        if match.where:
            text += f" where {self.expression(match.where)}"
        return text

    def metric(self, metric):
        words = {
            "since": "time since last {e}",
            "streak": "streak of days with {e}",
            "frequent": "most frequent {e}.{f}",
        }
        plain = "{a} {e}.{f}" if metric.field else "{a} {e}"
        text = words.get(metric.aggregate, plain).format(a=metric.aggregate, e=metric.event, f=metric.field)
        if metric.where:
            text += f" where {self.expression(metric.where)}"
        if isinstance(metric.window, int):
            text += f" over {span(metric.window)}"
        elif metric.window:
            text += f" this {metric.window}"
        return f"metric {metric.name} = {text}"

    def time(self, time):
        return f"{time[0]:02}:{time[1]:02}"

    def date_time(self, instant):
        return self.clock.local(instant).strftime("%Y-%m-%d %H:%M")

    def trigger(self, trigger):
        if trigger.kind == "event":
            return f"when {self.match(trigger.first)}"
        if trigger.kind == "sequence":
            text = f"when {self.match(trigger.first)}"
            for i, part in enumerate(trigger.thens):
                text += f" then {self.match(part)}"
                away = trigger.nots if i + 1 == len(trigger.thens) else trigger.before if i == 0 else []
                text += "".join(f" without {self.match(match)}" for match in away)
                text += f" within {span(trigger.deadlines[i])}" if trigger.deadlines[i] else ""
            text += "".join(f" and no {self.match(match)}" for match in trigger.absent)
            return text + (f" within {span(trigger.quiet)}" if trigger.absent else "")
        if trigger.kind == "absence":
            text = f"when {self.match(trigger.first)}" + "".join(f" and no {self.match(part)}" for part in trigger.nots)
            return f"{text} within {span(trigger.within)}"
        if trigger.kind in ("enters", "leaves"):
            of = trigger.condition
            named = of[0] == "segment"
            return f"when {trigger.kind} {self.program.segments[of[1]].name if named else '(' + self.expression(of) + ')'}"
        if trigger.kind == "reaches":
            return f"when {trigger.metric} reaches {self.expression(trigger.bound)}"
        whom = f" for {self.expression(trigger.condition)}"
        if trigger.kind == "at":
            return f"at {self.date_time(trigger.at)}{whom}"
        days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        if trigger.every == "day":
            return f"every day at {self.time(trigger.time)}{whom}"
        if isinstance(trigger.every, tuple):
            ordinal = {1: "1st", 31: "31st"}[trigger.every[1]]
            return f"on the {ordinal} of each month at {self.time(trigger.time)}{whom}"
        return f"every {days[trigger.every]} at {self.time(trigger.time)}{whom}"

    def steps(self, steps, indent):
        lines = []
        for step in steps:
            lines += [" " * indent + line for line in self.step(step)]
        return lines

    def step(self, step):
        if step[0] == "send":
            text = f"send {step[1]} via {', else '.join(step[2])}"
            if step[3] is not None:
                text += f" within {span(step[3])}"
            if step[4] is not None:
                text += f" or wait up to {span(step[4])}"
            return [text]
        if step[0] == "wait":
            return [f"wait {span(step[1])}"]
        if step[0] == "until":
            days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
            if step[1] == "time":
                return [f"wait until {self.time(step[2])}"]
            if step[1] == "weekday":
                return [f"wait until {days[step[2]]} {self.time(step[3])}"]
            if step[1] == "offset":
                side = "after" if step[3] > 0 else "before"
                return [f"wait until {span(abs(step[3]))} {side} {self.expression(step[2])}"]
            return [f"wait until {self.date_time(step[2])}"]
        if step[0] == "for":
            lines = [f"wait for {self.match(step[1])} up to {span(step[2])} {{"]
            lines += self.steps(step[3], 2)
            if step[4]:
                lines += ["} else {"] + self.steps(step[4], 2)
            return lines + ["}"]
        if step[0] == "repeat":
            lines = [f"repeat every {span(step[1])} at most {step[2]} times {{"]
            return lines + self.steps(step[3], 2) + ["}"]
        if step[0] == "split":
            lines = ["split {"]
            for place, block in enumerate(step[2]):
                lines += ["  100% {" if place == step[1] else "  0% {"] + self.steps(block, 4) + ["  }"]
            return lines + ["}"]
        if step[0] == "choose":
            lines = ["choose first {"]
            for condition, block in step[1]:
                lines += [f"  when {self.expression(condition)} {{"] + self.steps(block, 4) + ["  }"]
            if step[2]:
                lines += ["  else {"] + self.steps(step[2], 4) + ["  }"]
            return lines + ["}"]
        if step[0] == "if":
            lines = []
            for place, (condition, block) in enumerate(step[1]):
                lines.append(("} else if " if place else "if ") + self.expression(condition) + " {")
                lines += self.steps(block, 2)
            if step[2]:
                lines += ["} else {"] + self.steps(step[2], 2)
            return lines + ["}"]
        if step[0] == "set":
            return [f"set customer.{step[1]} = {self.expression(step[2])}"]
        return ["stop"]

    def campaign(self, campaign):
        lines = [f"campaign {campaign.name} {{", f"  class {campaign.klass}", f"  priority {campaign.priority}"]
        enter = "always" if campaign.enter[0] == "always" else "once"
        if campaign.key:
            enter += f" per {self.expression(campaign.key)}"
        if campaign.enter[0] == "every":
            enter += f" every {span(campaign.enter[1])}"
        lines.append(f"  enter {enter}")
        if campaign.audience:
            lines.append(f"  for {self.expression(campaign.audience)}")
        lines.append(f"  hold out {'100%' if campaign.hold_out else '0%'}")
        if campaign.period:
            lines.append(f"  from {campaign.period[2]} to {campaign.period[3]}")
        if campaign.goal:
            within = f" within {span(campaign.goal[1])}" if campaign.goal[1] else ""
            lines.append(f"  goal {self.match(campaign.goal[0])}{within}")
        for leave in campaign.leaves:
            lines.append(f"  leave when {self.expression(leave) if isinstance(leave, tuple) else self.match(leave)}")
        for trigger in campaign.triggers:
            lines.append(f"  {self.trigger(trigger)}")
            lines += self.steps(trigger.steps or [], 4)
        return lines + ["}"]

    def text(self):
        program = self.program
        lines = ["customer {"]
        for name, kind, default in program.attributes:
            shown = {"int": str(default), "bool": str(default).lower()}.get(kind)
            lines.append(f"  {name}: {kind}{'?' if default is None else f' = {shown}'}")
        lines += [f"  on {event} set {attribute} = {event}.{name}" for event, attribute, name in program.sets]
        lines.append("}")
        lines += [f"event {event} {{ n: int  m: money  k: text  t: instant  o: int? }}" for event in EVENTS]
        lines += [self.metric(metric) for metric in program.metrics]
        lines += [f"segment {segment.name} when {self.expression(segment.condition)}" for segment in program.segments]
        lines += [f"channel {channel.name} {{ class direct }}" for channel in program.channels]
        for content in program.contents:
            body = f"{{{self.expression(content.hole)}}}" if content.hole else "hello"
            inner = f'body "{body}"'
            lines.append(f"content {content.name} {{ {f'for {content.only} {{ {inner} }}' if content.only else inner} }}")
        lines += ["policy {", f'  time zone "{program.zone}"', "  currency CNY", "  consent not required for marketing"]
        if program.quiet:
            lines.append(f"  quiet hours {program.quiet[0]:02}:00 to {program.quiet[1]:02}:00 {program.quiet[2]}")
        for whom, limit, per in program.caps:
            lines.append(f"  cap {whom} {limit} per {'calendar day' if per == 'day' else span(per)}")
        lines.append("}")
        for campaign in program.campaigns:
            lines += self.campaign(campaign)
        return "\n".join(lines) + "\n"


def stamp(us):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_line(event):
    data = dict(event.fields)
    data["m"] = f"{data['m'] // 100}.{data['m'] % 100:02}"
    data["t"] = stamp(data["t"])
    return json.dumps({"id": event.id, "type": event.type, "time": stamp(event.time), "subject": event.customer, "data": data})
