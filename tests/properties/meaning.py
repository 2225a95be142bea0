"""A program and its meaning, written as plainly as can be: everything is recomputed from the whole
history of a customer at every instant at which anything might happen. Nothing here is fast, and nothing
is taken from the engine; docs/language.md section 6 is what it spells out.

A program is plain values (see `Program`); an expression is a tuple whose first item says what it is.
Instants and durations are whole microseconds, money is minor units, a missing value is None.
"""

import datetime
import zoneinfo
from dataclasses import dataclass, field
from typing import Optional

SECOND = 1_000_000
MINUTE, HOUR, DAY, WEEK = 60 * SECOND, 3600 * SECOND, 86400 * SECOND, 7 * 86400 * SECOND
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)


# --- Time ----------------------------------------------------------------------------------------


class Clock:
    """A zone's clock. A time that a change skips is the instant of the change; one that comes twice is
    the first."""

    def __init__(self, name):
        self.zone = zoneinfo.ZoneInfo(name)
        self.known = {}

    def local(self, instant):
        return (EPOCH + datetime.timedelta(microseconds=instant)).astimezone(self.zone).replace(tzinfo=None)

    def instant(self, local):
        if local not in self.known:
            self.known[local] = self.find(local)
        return self.known[local]

    def find(self, local):
        at = (local.replace(tzinfo=self.zone) - EPOCH) // MICROSECOND
        if self.local(at) == local:
            return at
        # Skipped: the first instant whose clock shows a later time lies within three hours.
        low, high = at - 3 * HOUR, at + 3 * HOUR
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.local(middle) >= local else (middle, high)
        return high

    def day_begin(self, instant, plus=0):
        day = self.local(instant).date() + datetime.timedelta(days=plus)
        return self.instant(datetime.datetime.combine(day, datetime.time()))

    def period_begin(self, period, instant):
        day = self.local(instant).date()
        if period == "week":
            day -= datetime.timedelta(days=day.weekday())
        elif period == "month":
            day = day.replace(day=1)
        elif period == "year":
            day = day.replace(month=1, day=1)
        return self.instant(datetime.datetime.combine(day, datetime.time()))

    def next(self, every, time, after):
        """The first occurrence later than `after`: every is "day", 0…6 (a weekday) or ("month", day)."""
        day = self.local(after).date() - datetime.timedelta(days=1)
        while True:
            fits = every == "day" or every == day.weekday()
            if isinstance(every, tuple):
                last = ((day.replace(day=1) + datetime.timedelta(days=32)).replace(day=1) - datetime.timedelta(days=1)).day
                fits = day.day == min(every[1], last)
            if fits:
                at = self.instant(datetime.datetime.combine(day, datetime.time(*time)))
                if at > after:
                    return at
            day += datetime.timedelta(days=1)


# --- Programs ------------------------------------------------------------------------------------


@dataclass
class Metric:
    name: str
    aggregate: str  # count sum average min max first last distinct since streak ever never frequent values
    event: str
    field: Optional[str] = None
    where: Optional[tuple] = None
    window: object = None  # None, microseconds, or "day" "week" "month" "year"


@dataclass
class Segment:
    name: str
    condition: tuple


@dataclass
class Match:
    event: Optional[str]  # None: any event
    alias: Optional[str] = None
    where: Optional[tuple] = None


@dataclass
class Trigger:
    kind: str  # event sequence absence enters leaves reaches every at
    first: Optional[Match] = None
    thens: list = field(default_factory=list)
    nots: list = field(default_factory=list)  # until the last part has come
    before: list = field(default_factory=list)  # until the first of `thens` has come, where there are more
    deadlines: list = field(default_factory=list)  # of `thens`; None: that of the next part
    absent: list = field(default_factory=list)  # behind the last part, for `quiet`
    quiet: int = 0
    within: int = 0  # of an absence alone
    condition: Optional[tuple] = None  # of enters, leaves; of every, at: for whom
    metric: Optional[str] = None  # of reaches
    bound: object = None
    every: object = None
    time: tuple = (0, 0)
    at: int = 0
    steps: Optional[list] = None  # None: shares the next trigger's


@dataclass
class Campaign:
    name: str
    klass: str
    priority: int
    enter: tuple  # ("once",) ("always",) ("every", D); a key follows: (…, ("slot", alias, field))
    key: Optional[tuple] = None
    audience: Optional[tuple] = None
    hold_out: bool = False  # all of them or nobody: chance is tested elsewhere
    period: Optional[tuple] = None  # [from, until) as instants, and the two days as dates
    goal: Optional[tuple] = None  # (Match, within or None)
    leaves: list = field(default_factory=list)  # Match or expression
    triggers: list = field(default_factory=list)


@dataclass
class Channel:
    name: str


@dataclass
class Content:
    name: str
    hole: Optional[tuple] = None  # an expression in its text
    only: Optional[str] = None  # says something for this channel alone


@dataclass
class Program:
    zone: str
    metrics: list
    segments: list
    contents: list
    channels: list
    campaigns: list
    attributes: list  # (name, type, default or None)
    sets: list  # (event, attribute, field)
    quiet: Optional[tuple] = None  # (from hour, to hour, "delay" or "drop")
    caps: list = field(default_factory=list)  # (class or channel, limit, microseconds or "day")


@dataclass
class Event:
    time: int
    type: str
    customer: str
    fields: dict
    id: str


def fixed_order(campaigns):
    return sorted(campaigns, key=lambda c: (-c.priority, c.name.encode()))


# --- Values --------------------------------------------------------------------------------------

COMPARE = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def half_even(numerator, denominator):
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2):
        quotient += 1
    return quotient


class Customer:
    """One customer's life. `deeds` is what was decided, in order."""

    def __init__(self, program, name, until):
        self.program, self.name, self.until = program, name, until
        self.clock = Clock(program.zone)
        self.campaigns = fixed_order(program.campaigns)
        self.metrics = {metric.name: metric for metric in program.metrics}
        self.history = []
        self.attributes = {name: default for name, _, default in program.attributes}
        self.now = None
        self.deeds, self.sent = [], []
        self.journeys = [[] for _ in self.campaigns]
        self.last_entry = {}
        self.candidates, self.let_in = [], set()
        self.fired = -1  # instants up to here have had their deadlines
        self.watches = self.conditions_to_watch()
        self.inside = [False] * len(self.watches)
        self.seen_first = False
        self.spans = self.spans_of_interest()
        self.memory = {}

    # What is kept up to date: the segments, and what stands behind enters, leaves and reaches.
    def conditions_to_watch(self):
        found = [segment.condition for segment in self.program.segments]
        for campaign in self.campaigns:
            for trigger in campaign.triggers:
                condition = watched_condition(trigger)
                if condition is not None and condition not in found:
                    found.append(condition)
        return found

    def spans_of_interest(self):
        found = {metric.window for metric in self.program.metrics if isinstance(metric.window, int)}

        def walk(node):
            if isinstance(node, tuple):
                if node and node[0] == "const" and node[1] == "duration":
                    found.add(node[2])
                for part in node:
                    walk(part)

        for condition in self.watches + [c for c in self.every_leave_condition()]:
            walk(condition)
        return found

    def every_leave_condition(self):
        return [leave for campaign in self.campaigns for leave in campaign.leaves if isinstance(leave, tuple)]

    # --- Expressions ---

    def value(self, node, frame=None, event=None):
        kind = node[0]
        if kind == "const":
            return node[2]
        if kind == "attribute":
            return self.attributes[node[1]]
        if kind == "field":
            return event.fields.get(node[1])
        if kind == "slot":
            bound = frame.get(node[1])
            return None if bound is None else bound.fields.get(node[2])
        if kind == "time":
            bound = frame.get(node[1])
            return None if bound is None else bound.time
        if kind == "metric":
            return self.metric(self.metrics[node[1]])
        if kind == "segment":
            return self.inside[node[1]]
        if kind == "compare":
            a, b = self.value(node[2], frame, event), self.value(node[3], frame, event)
            return False if a is None or b is None else COMPARE[node[1]](a, b)
        if kind == "and":
            return self.holds(node[1], frame, event) and self.holds(node[2], frame, event)
        if kind == "or":
            return self.holds(node[1], frame, event) or self.holds(node[2], frame, event)
        if kind == "not":
            return not self.holds(node[1], frame, event)
        if kind == "known":
            return self.value(node[1], frame, event) is not None
        if kind == "missing":
            return self.value(node[1], frame, event) is None
        if kind == "default":
            a = self.value(node[1], frame, event)
            return self.value(node[2], frame, event) if a is None else a
        if kind in ("+", "-", "*"):
            a, b = self.value(node[1], frame, event), self.value(node[2], frame, event)
            if a is None or b is None:
                return None
            return a + b if kind == "+" else a - b if kind == "-" else a * b
        if kind == "among":
            a = self.value(node[1], frame, event)
            return a is not None and a in [item[2] for item in node[2]]
        if kind == "contains":
            a = self.value(node[1], frame, event)
            return a is not None and node[2][2] in a
        if kind == "days":
            a = self.value(node[1], frame, event)
            return None if a is None else a // DAY
        raise AssertionError(kind)

    def holds(self, node, frame=None, event=None):
        return node is None or self.value(node, frame, event) is True

    def counted(self, metric):
        """The events that the metric counts at this instant, oldest first."""
        begin = None
        if isinstance(metric.window, int):
            begin = self.now - metric.window + 1  # half-open: (t - window, t]
        elif metric.window:
            begin = self.clock.period_begin(metric.window, self.now)
        return [
            event
            for event in self.history
            if event.type == metric.event
            and (begin is None or event.time >= begin)
            and self.holds(metric.where, None, event)
        ]

    def metric(self, metric):
        events = self.counted(metric)
        if metric.aggregate == "count":
            return len(events)
        if metric.aggregate == "ever":
            return bool(events)
        if metric.aggregate == "never":
            return not events
        if metric.aggregate == "since":
            return self.now - events[-1].time if events else None
        if metric.aggregate == "streak":
            return self.streak({self.clock.local(event.time).date() for event in events})
        values = [event.fields[metric.field] for event in events if event.fields.get(metric.field) is not None]
        if metric.aggregate == "sum":
            return sum(values)
        if metric.aggregate == "distinct":
            return len(set(values))
        if metric.aggregate == "values":
            return list(dict.fromkeys(reversed(values)))[:100]
        if not values:
            return None
        if metric.aggregate == "average":
            # Of money: a whole number of minor units. (Of int it would be a number.)
            return half_even(sum(values), len(values))
        if metric.aggregate == "frequent":
            latest = {value: place for place, value in enumerate(values)}
            return max(latest, key=lambda value: (values.count(value), latest[value]))
        return {"min": min, "max": max, "first": lambda v: v[0], "last": lambda v: v[-1]}[metric.aggregate](values)

    def streak(self, days):
        day = self.clock.local(self.now).date()
        if day not in days:
            day -= datetime.timedelta(days=1)  # none yet today: up to yesterday
        count = 0
        while day in days:
            count, day = count + 1, day - datetime.timedelta(days=1)
        return count

    # --- When something might happen ---

    def moments(self):
        """All later instants at which anything may come due, by what is known now; too many do no harm."""
        found = set()
        for event in self.history:
            for span in self.spans:
                found |= {event.time + span, event.time + span + 1}
        if self.history:
            for plus in (0, 1):
                found.add(self.clock.day_begin(self.now, plus))
            for campaign in self.campaigns:
                for trigger in campaign.triggers:
                    if trigger.kind == "every":
                        found.add(self.clock.next(trigger.every, trigger.time, max(self.fired, self.history[0].time - 1)))
                    if trigger.kind == "at" and trigger.at >= self.history[0].time:
                        found.add(trigger.at)
        for journeys in self.journeys:
            found |= {journey.due for journey in journeys if journey.due is not None}
        return found

    def live_until(self, end, inclusive):
        while self.history:
            # Nothing falls due before the last event; at its very instant deadlines come after it.
            due = [at for at in self.moments() if at > self.fired and at >= self.history[-1].time]
            at = min(due, default=None)
            if at is None or at > end or (at == end and not inclusive):
                return
            self.fire(at)

    # --- An event: rule 4's order ---

    def happens(self, event):
        self.live_until(event.time, inclusive=False)
        self.now = event.time
        self.let_in = set()
        for kind, attribute, name in self.program.sets:
            if kind == event.type and event.fields.get(name) is not None:
                self.attributes[attribute] = event.fields[name]
        self.history.append(event)
        if self.seen_first:
            self.look_at([i for i, watch in enumerate(self.watches) if self.concerns(watch, event.type)])
        else:
            self.seen_first = True
            self.look_at(range(len(self.watches)))
        for index, campaign in enumerate(self.campaigns):
            for journey in list(self.journeys[index]):
                self.journey_meets(campaign, journey, event)
        for index, campaign in enumerate(self.campaigns):
            for place, trigger in enumerate(campaign.triggers):
                if trigger.first and trigger.first.event in (None, event.type):
                    self.candidates.append((index, 1, place, event))
        self.admit()
        self.ask_leave_conditions()

    def concerns(self, condition, event_type):
        """May an event of this type change the condition, whatever the time?"""

        def walk(node):
            if not isinstance(node, tuple):
                return False
            if node[0] == "metric":
                return self.metrics[node[1]].event == event_type
            if node[0] == "attribute":
                return any(kind == event_type and attribute == node[1] for kind, attribute, _ in self.program.sets)
            if node[0] == "segment":
                return self.concerns(self.watches[node[1]], event_type)
            return any(walk(part) for part in node[1:])

        return walk(condition)

    def look_at(self, which):
        """Brings conditions up to date, and those that ask for the segments that have changed."""
        todo = set(which)
        for i, condition in enumerate(self.watches):
            if i not in todo:
                continue
            inside = self.holds(condition)
            if inside == self.inside[i]:
                continue
            self.inside[i] = inside
            todo |= {j for j in range(i + 1, len(self.watches)) if reads_segment(self.watches[j], i)}
            for index, campaign in enumerate(self.campaigns):
                for place, trigger in enumerate(campaign.triggers):
                    crossing = trigger.kind in ("enters", "reaches") if inside else trigger.kind == "leaves"
                    if crossing and watched_condition(trigger) == condition:
                        self.candidates.append((index, 2, place, None))

    def after_set(self, attribute):
        def reads(node):
            return isinstance(node, tuple) and (node[:2] == ("attribute", attribute) or any(reads(p) for p in node))

        self.look_at([i for i, condition in enumerate(self.watches) if reads(condition)])
        self.ask_leave_conditions()

    # --- An instant: flips, then the campaigns in their order, each with its waits before its entries ---

    def fire(self, at):
        self.now, self.fired = at, at
        self.let_in = set()
        self.look_at(range(len(self.watches)))
        self.ask_leave_conditions()
        for index, campaign in enumerate(self.campaigns):
            for place, trigger in enumerate(campaign.triggers):
                if self.is_scheduled(trigger, at) and self.holds(trigger.condition):
                    self.candidates.append((index, 2, place, None))
        waiting, self.candidates = self.candidates, []
        for index, campaign in enumerate(self.campaigns):
            for journey in list(self.journeys[index]):
                if journey.due == at and journey.phase != "ended":
                    self.wake(campaign, journey)
                    self.admit()
            self.candidates += [candidate for candidate in waiting if candidate[0] == index]
            self.admit()
        self.ask_leave_conditions()

    def is_scheduled(self, trigger, at):
        if trigger.kind == "at":
            return trigger.at == at
        return trigger.kind == "every" and self.clock.next(trigger.every, trigger.time, at - 1) == at

    # --- Journeys ---

    def journey_meets(self, campaign, journey, event):
        if journey.phase == "forming":
            return self.forming_meets(campaign, journey, event)
        if campaign.goal and not journey.goal_reached:
            match, within = campaign.goal
            open_still = event.time <= journey.entered + within if within else journey.phase == "active"
            if open_still and self.matches(match, event, journey.frame):
                journey.goal_reached = True
                self.deed(campaign, "goal")
        if journey.phase != "active":
            return None
        for leave in campaign.leaves:
            if self.holds(leave, journey.frame) if isinstance(leave, tuple) else self.matches(leave, event, journey.frame):
                return self.leave(campaign, journey)
        if journey.awaits and self.matches(journey.awaits[0], event, journey.frame):
            match, then, _ = journey.awaits
            if match.alias:
                journey.frame[match.alias] = event
            journey.due, journey.awaits = None, None
            self.go_on(campaign, journey, then)
        return None

    def forming_meets(self, campaign, journey, event):
        trigger = campaign.triggers[journey.trigger]
        for leave in campaign.leaves:
            if not isinstance(leave, tuple) and self.matches(leave, event, journey.frame):
                return journey.end()
        if journey.part < len(trigger.thens) and self.matches(trigger.thens[journey.part], event, journey.frame):
            if trigger.thens[journey.part].alias:
                journey.frame[trigger.thens[journey.part].alias] = event
            journey.part += 1
            journey.since = event.time
            if trigger.deadlines[journey.part - 1] is not None:
                journey.due = event.time + self.deadline(trigger, journey.part)
            if journey.part == len(trigger.thens) and not trigger.absent:
                journey.complete = True
                self.candidates.append((self.campaigns.index(campaign), 0, journey.trigger, journey))
            return None
        away = []
        if trigger.kind == "absence" or journey.part < len(trigger.thens):
            away += trigger.nots
        if journey.part < 1:
            away += trigger.before
        if journey.part == len(trigger.thens) and journey.since <= event.time:
            away += trigger.absent
        if any(self.matches(match, event, journey.frame) for match in away):
            journey.end()
        return None

    @staticmethod
    def deadline(trigger, part):
        """How long the next parts have, when so many have come."""
        if trigger.kind == "absence":
            return trigger.within
        return next((span for span in trigger.deadlines[part:] if span is not None), trigger.quiet)

    def matches(self, match, event, frame):
        return match.event in (None, event.type) and self.holds(match.where, frame, event)

    def leave(self, campaign, journey):
        self.deed(campaign, "leave")
        journey.end()

    def ask_leave_conditions(self):
        for campaign, journeys in zip(self.campaigns, self.journeys):
            for journey in list(journeys):
                for leave in campaign.leaves:
                    # A trigger that is complete enters in this very turn, and is asked then.
                    if journey.phase == "ended" or journey.complete or not isinstance(leave, tuple):
                        continue
                    if self.holds(leave, journey.frame):
                        if journey.phase == "active":
                            self.leave(campaign, journey)
                        journey.end()

    def wake(self, campaign, journey):
        journey.due = None
        if journey.phase == "forming":
            if journey.part == len(campaign.triggers[journey.trigger].thens):  # an absence
                self.candidates.append((self.campaigns.index(campaign), 0, journey.trigger, journey))
            else:
                journey.end()
        elif journey.awaits:
            _, _, otherwise = journey.awaits
            journey.awaits = None
            self.go_on(campaign, journey, otherwise)
        else:
            self.go_on(campaign, journey, [])

    # --- Entries ---

    def admit(self):
        while self.candidates:
            round_, self.candidates = sorted(self.candidates, key=lambda c: c[:3]), []
            for index, kind, place, what in round_:
                campaign = self.campaigns[index]
                if kind == 0:
                    if what.phase == "forming":
                        what.end()
                        self.enter(index, place, what.frame)
                elif kind == 1:
                    self.begin(index, place, what)
                else:
                    self.enter(index, place, {})

    def begin(self, index, place, event):
        campaign = self.campaigns[index]
        trigger = campaign.triggers[place]
        if not self.matches(trigger.first, event, {}):
            return
        frame = {trigger.first.alias: event} if trigger.first.alias else {}
        if trigger.kind == "event":
            return self.enter(index, place, frame)
        key = self.key(campaign, frame)
        if self.is_in(index, key):
            return
        self.journeys[index].append(
            Journey("forming", place, key, frame, self.now, due=event.time + self.deadline(trigger, 0))
        )

    def key(self, campaign, frame):
        return self.value(campaign.key, frame) if campaign.key else ()

    def is_in(self, index, key):
        return any(journey.phase != "ended" and journey.key == key for journey in self.journeys[index])

    def enter(self, index, place, frame):
        campaign = self.campaigns[index]
        key = self.key(campaign, frame)
        if self.is_in(index, key) or not self.holds(campaign.audience, frame) or (index, key) in self.let_in:
            return
        if not self.in_period(campaign):
            return
        last = self.last_entry.get((index, key))
        how = campaign.enter
        if last is not None and (how[0] == "once" or (how[0] == "every" and self.now < last + how[1])):
            return
        self.let_in.add((index, key))
        self.last_entry[(index, key)] = self.now
        journey = Journey("active", place, key, frame, self.now)
        self.journeys[index].append(journey)
        self.deed(campaign, "enter")
        for leave in campaign.leaves:
            if isinstance(leave, tuple) and self.holds(leave, frame):
                return self.leave(campaign, journey)
        steps = next(trigger.steps for trigger in campaign.triggers[place:] if trigger.steps is not None)
        journey.rest = list(steps)
        self.go_on(campaign, journey, [])

    def in_period(self, campaign):
        return campaign.period is None or campaign.period[0] <= self.now < campaign.period[1]

    # --- Steps ---

    def go_on(self, campaign, journey, steps):
        """Goes on with `steps`, then with what is left, until something waits."""
        journey.rest = list(steps) + journey.rest
        while journey.phase == "active" and journey.rest:
            step = journey.rest[0]
            if step[0] == "send":
                if journey.reached is None:
                    journey.reached = self.now
                wait = self.send(campaign, step, journey)
                if wait is not None:
                    # The step stays; go on asks it again.
                    journey.due = wait
                    return
                journey.reached = None
            if step[0] == "again":
                # Passes are counted from the first, or from the last that came late.
                _, every, times, block, passes = step
                if passes["all"] < times:
                    due = passes["since"] + every * passes["counted"]
                    if self.now < due:
                        journey.due = due
                        return
                    passes["all"] += 1
                    passes["counted"] += 1
                    if self.now > due:
                        passes["since"], passes["counted"] = self.now, 1
                    journey.rest = list(block) + journey.rest
                    continue
            journey.rest.pop(0)
            if step[0] == "repeat":
                passes = {"since": self.now, "counted": 1, "all": 1}
                journey.rest = list(step[3]) + [("again", step[1], step[2], step[3], passes)] + journey.rest
                continue
            if step[0] == "split":
                journey.rest = list(step[2][step[1]]) + journey.rest
                continue
            if step[0] == "wait":
                journey.due = self.now + step[1]
                return
            if step[0] == "until":
                target = self.target(step, journey.frame)
                if target is not None and target > self.now:
                    journey.due = target
                    return
            elif step[0] == "for":
                journey.awaits, journey.due = (step[1], step[3], step[4]), self.now + step[2]
                return
            elif step[0] in ("if", "choose"):
                for condition, block in step[1]:
                    if self.holds(condition, journey.frame):
                        journey.rest = list(block) + journey.rest
                        break
                else:
                    journey.rest = list(step[2]) + journey.rest
            elif step[0] == "set":
                value = self.value(step[2], journey.frame)
                if campaign.hold_out:
                    self.deed(campaign, "refuse", step[1], of="set", reason="hold_out")
                elif not self.in_period(campaign):
                    self.deed(campaign, "refuse", step[1], of="set", reason="campaign_window")
                elif value is not None:
                    self.attributes[step[1]] = value
                    self.deed(campaign, "set", step[1])
                    self.after_set(step[1])
            elif step[0] == "stop":
                journey.rest = []
        if journey.phase == "active":
            journey.end()

    def target(self, step, frame):
        if step[1] == "time":
            return self.clock.next("day", step[2], self.now)
        if step[1] == "weekday":
            return self.clock.next(step[2], step[3], self.now)
        if step[1] == "instant":
            return step[2]
        base = self.value(step[2], frame)  # "offset": so long before or after something
        return None if base is None else base + step[3]

    def deed(self, campaign, action, name="", channel="", of="", reason=""):
        self.deeds.append((self.now, self.name, campaign.name, action, name, channel, of, reason))

    # --- The gate ---

    def send(self, campaign, step, journey):
        """Sends or refuses; an instant if the step must wait until then."""
        _, name, channels, within, patience = step
        content = next(c for c in self.program.contents if c.name == name)
        last = journey.reached + within if within is not None else None
        first, free = "", None
        for channel in channels:
            reason, again = self.gate(campaign, channel)
            if again is not None and reason == "quiet_hours":
                if last is None or again <= last:
                    return again
                reason = "expired"
            if reason == "cap" and again is not None:
                free = again if free is None else min(free, again)
            if not reason and content.only not in (None, channel):
                reason = "no_variant"
            if not reason and content.hole and self.value(content.hole, journey.frame) is None:
                reason = "missing_value"
            if not reason:
                self.sent.append((self.now, campaign.klass, channel))
                self.deed(campaign, "send", name, channel)
                return None
            first = first or reason
        if patience is not None and free is not None:
            again = min(t for t in (free, journey.reached + patience, last) if t is not None)
            if again > self.now:
                return again
        self.deed(campaign, "refuse", name, channels[0], of="send", reason=first)
        return None

    def gate(self, campaign, channel):
        """(reason or "", when to ask again or None)."""
        if campaign.hold_out:
            return "hold_out", None
        if not self.in_period(campaign):
            return "campaign_window", None
        quiet = self.program.quiet
        if quiet and campaign.klass != "transactional":
            begin, end, how = quiet
            hour = self.clock.local(self.now).hour
            if begin <= hour < end if begin <= end else hour >= begin or hour < end:
                if how == "drop":
                    return "quiet_hours", None
                return "quiet_hours", self.clock.next("day", (end, 0), self.now)
        full, again = False, self.now
        for whom, limit, per in self.program.caps:
            if whom not in (campaign.klass, channel):
                continue
            ends = []
            for at, klass, over in self.sent:
                if whom in (klass, over):
                    end = at + per if isinstance(per, int) else self.clock.day_begin(at, 1)
                    if end > self.now:
                        ends.append(end)
            if len(ends) >= limit:
                full = True
                again = max(again, sorted(ends)[len(ends) - limit])
        return ("cap", again) if full else ("", None)


@dataclass(eq=False)
class Journey:
    phase: str  # forming, active, ended
    trigger: int
    key: object
    frame: dict
    entered: int
    due: Optional[int] = None
    part: int = 0
    since: int = 0  # when the last of his parts came
    complete: bool = False  # forming, and all its parts have come
    goal_reached: bool = False
    awaits: Optional[tuple] = None
    rest: list = field(default_factory=list)
    reached: Optional[int] = None  # when he came to the send that he stands at

    def end(self):
        if self.phase == "forming":
            self.goal_reached = True  # who never entered has no goal
        self.phase, self.due, self.awaits, self.rest = "ended", None, None, []


def watched_condition(trigger):
    if trigger.kind in ("enters", "leaves"):
        return trigger.condition
    if trigger.kind == "reaches":
        return ("compare", ">=", ("metric", trigger.metric), trigger.bound)
    return None


def reads_segment(node, index):
    if not isinstance(node, tuple):
        return False
    return node[:2] == ("segment", index) or any(reads_segment(part, index) for part in node)


def meaning(program, events, until):
    """What the program does: each customer's deeds, in order. `events` in order of (time, arrival)."""
    lives = {}
    for event in events:
        if event.customer not in lives:
            lives[event.customer] = Customer(program, event.customer, until)
        lives[event.customer].happens(event)
    for life in lives.values():
        life.live_until(until, inclusive=True)
    return {name: life.deeds for name, life in lives.items()}
