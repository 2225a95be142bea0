#!/usr/bin/env python3
"""Many whole campaigns: the shop of rules-examples/, its events forty times over (each time other customers), and
N campaigns beside its own: absences, sequences, waits, goals, schedules, windows, segments and conditions to leave
by among them.

  campaigns.py --koi BUILD/koi --core BUILD/…/koi-bench-campaigns [--work build/campaigns]
               [--campaigns 10 100 1000 10000] [--copies 40]

Prints what `koi run` takes and keeps for each customer, and what deciding alone takes with the index and without it;
fails where a goal is missed. Seeded: the same program and events each time.
"""
import argparse, collections, json, os, pathlib, random, shutil, subprocess, sys

SHOP = pathlib.Path(__file__).resolve().parents[2] / "rules-examples/shop"
# What must be reached at every number of campaigns.
BUILT_WITHIN = 1.0  # seconds, for the index
BYTES_A_CAMPAIGN = 2048  # of the index
OVER_LOOP = 0.8  # deciding with the index over asking every condition, at least


def make_events(path, copies):
    """Writes the events; gives what the shop's fields hold, the number of events and of customers."""
    values, count, customers = collections.defaultdict(set), 0, set()
    with open(path, "w", encoding="utf-8") as out:
        for line in (SHOP / "events.ndjson").read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            data = {k: v for k, v in event.get("data", {}).items() if k not in ("phone", "email", "wechat_openid")}
            for name, value in data.items():
                values[event["type"], name].add(value)
            for copy in range(copies):
                made = {**event, "id": f"{event['id']}-{copy}", "subject": f"{event['subject']}{copy:02d}", "data": data}
                customers.add(made["subject"])
                out.write(json.dumps(made, ensure_ascii=False) + "\n")
                count += 1
    fields = {key: sorted(texts) for key, texts in values.items() if all(isinstance(t, str) for t in texts)}
    return fields, count, len(customers)


class Program:
    """N campaigns over the shop's words. A tenth as many segments stand beside them, over windows, attributes and
    other segments; conditions are drawn from what a shop asks, each with numbers of its own."""

    def __init__(self, number, values):
        self.dice, self.values = random.Random(number), values
        self.segments = [f"part{i}" for i in range(max(2, number // 10))]
        self.blocks = ['content hi_all { body "hello" }']
        self.blocks += [f"segment {name} when {self.condition()}" for name in self.segments]
        self.blocks += [self.campaign(i) for i in range(number)]

    def text(self):
        return "\n".join(self.blocks) + "\n"

    def pick(self, event, field):
        return json.dumps(self.dice.choice(self.values[event, field]), ensure_ascii=False)

    def days(self):
        return f"{self.dice.choice([7, 14, 30, 60, 90])} days"

    def condition(self):
        """Of the customer: over windows, over attributes."""
        dice = self.dice
        return dice.choice([
            lambda: f"sum purchase.amount over {self.days()} >= ¥{dice.randrange(100, 3000)}.00",
            lambda: f'count page_view where page == {self.pick("page_view", "page")} over {self.days()}'
                    f" >= {dice.randrange(2, 9)}",
            lambda: f'sum purchase.amount where category == {self.pick("purchase", "category")} over {self.days()}'
                    f" >= ¥{dice.randrange(100, 2000)}.00",
            lambda: f"orders >= {dice.randrange(1, 4)} and time since last purchase > {dice.randrange(5, 60)} days",
            lambda: f"customer.followers >= {dice.randrange(300, 20000)}",
            lambda: f'customer.city == {self.pick("register", "city")} and not staff',
            lambda: f"count share over {self.days()} >= {dice.randrange(1, 5)} and spend_90d > ¥{dice.randrange(100, 900)}.00",
        ])()

    def trigger(self):
        dice, price = self.dice, self.dice.randrange(1, 900)
        sku = self.pick("add_to_cart", "sku")
        return dice.choices([
            f'when purchase where amount > ¥{dice.randrange(100, 1500)}.00 and sku == {self.pick("purchase", "sku")}',
            f"when purchase where amount >= ¥{price}.00 and amount < ¥{price + 3}.00",
            f'when page_view where page == {self.pick("page_view", "page")}'
            f" and time since last purchase > {dice.randrange(1, 60)} days",
            f"when add_to_cart as cart where cart.sku == {sku} and cart.price > ¥{price}.00 and cart.price <"
            f" ¥{price + 150}.00 and no purchase where sku == cart.sku within 30 minutes",
            f"when add_to_cart as cart where cart.sku == {sku} and cart.price >= ¥{price}.00 and cart.price <"
            f" ¥{price + 150}.00 and no purchase where sku == cart.sku within 2 days",
            f"when page_view as first where first.page == {self.pick('page_view', 'page')} and customer.city =="
            f" {self.pick('register', 'city')} then purchase where category == {self.pick('purchase', 'category')}"
            f" without refund within {dice.choice([1, 12, 24, 72])} hours",
            f"when enters {dice.choice(self.segments)}",
            f"every {dice.choice(['day', 'monday', 'friday'])} at {dice.randrange(8, 20):02}:00"
            f" for in {dice.choice(self.segments)} and orders >= {dice.randrange(2, 5)}",
        ], [15, 20, 15, 15, 10, 15, 8, 2])[0]

    def steps(self):
        dice = self.dice
        send = "send hi_all via wechat, else sms"
        return dice.choices([
            [send],
            [f"wait {dice.randrange(1, 72)} hours", send],
            [f"wait for purchase where amount > ¥{dice.randrange(10, 500)}.00 up to {dice.randrange(1, 10)} days {{",
             "  stop", "} else {", f"  {send}", "}"],
            [f"wait for opened up to {dice.randrange(1, 20)} days {{", "  stop", "} else {", "  wait until 10:00",
             f"  {send}", "}"],
        ], [60, 15, 15, 10])[0]

    def campaign(self, number):
        dice = self.dice
        clauses = ["class marketing", "enter once every 3 days"]
        if dice.random() < 0.7:
            followers = f"customer.followers >= {dice.randrange(9000, 20000)}"
            clauses.append("for " + dice.choice([followers, followers, f"in {dice.choice(self.segments)}"]))
        if dice.random() < 0.5:
            clauses.append(f"goal purchase where category == {self.pick('purchase', 'category')} within"
                           f" {dice.randrange(3, 15)} days")
        if dice.random() < 0.6:
            clauses.append("leave when " + dice.choice([
                lambda: "staff", lambda: self.condition(), lambda: f"in {dice.choice(self.segments)}",
                lambda: f"purchase where amount > ¥{dice.randrange(100, 900)}.00", lambda: "unfollow"])())
        lines = [f"  {line}" for line in clauses] + [f"  {self.trigger()}"] + [f"    {line}" for line in self.steps()]
        return "\n".join([f"campaign x{number} {{", *lines, "}"])


def measured(command):
    """Processor seconds and the peak of memory in bytes."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--koi", required=True, type=pathlib.Path)
    options.add_argument("--core", required=True, type=pathlib.Path)
    options.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/campaigns"))
    options.add_argument("--campaigns", type=int, nargs="+", default=[10, 100, 1000, 10000])
    options.add_argument("--copies", type=int, default=40)
    options.add_argument("--only-make", action="store_true", help="writes the programs and events, and measures nothing")
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    events, more, nothing = (given.work / f"{name}.ndjson" for name in ["events", "more", "nothing"])
    values, count, customers = make_events(events, given.copies)
    _, _, more_customers = make_events(more, given.copies * 4)
    nothing.write_text("")
    programs = {}
    for number in given.campaigns:
        program = programs[number] = given.work / f"program-{number}"
        shutil.rmtree(program, ignore_errors=True)
        program.mkdir()
        for file in SHOP.glob("*.koi"):
            shutil.copy(file, program)
        (program / "many.koi").write_text(Program(number, values).text(), encoding="utf-8")
    if given.only_make:
        return

    rows, missed = [], []
    for number, program in programs.items():
        run = [given.koi, "run", program, "--effects", given.work / "effects.ndjson", "--events"]
        empty_time, _ = measured([*run, nothing])
        # What more customers take: the first ones live in the memory that compiling has left.
        _, more_memory = measured([*run, more])
        time, memory = measured([*run, events])
        with open(given.work / "effects.ndjson", encoding="utf-8") as lines:
            effects = sum(1 for _ in lines)
        done = subprocess.run([given.core, program, events], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"failed: {given.core} {program} {events}\n{done.stderr}")
        core = json.loads(done.stdout)
        ratio = core["loop_us"] / core["index_us"]
        rows.append([f"{number:,}", f"{count / (time - empty_time):,.0f}", f"{effects / count:.2f}",
                     f"{(more_memory - memory) / (more_customers - customers):,.0f}", f"{core['state_bytes']:,.0f}",
                     f"{core['journeys']:.1f}", f"{core['loop_us']:.2f}", f"{core['index_us']:.2f}", f"{ratio:.1f}",
                     f"{core['build_seconds'] * 1e3:,.0f}", f"{core['bytes_a_campaign']:,.0f}"])
        if ratio < OVER_LOOP:
            missed.append(f"{number:,} campaigns: {ratio:.2f} times the loop, at least {OVER_LOOP} wanted")
        if core["build_seconds"] > BUILT_WITHIN:
            missed.append(f"{number:,} campaigns: the index is built in {core['build_seconds']:.2f} s")
        if number >= 1000 and core["bytes_a_campaign"] > BYTES_A_CAMPAIGN:
            missed.append(f"{number:,} campaigns: {core['bytes_a_campaign']:,.0f} bytes a campaign")
    heads = ["campaigns", "`koi run`, events/s", "effects an event", "peak bytes a customer", "of them state",
             "journeys a customer", "loop, µs an event", "index, µs", "index over loop", "index built, ms", "bytes a campaign"]
    print("\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]))
    if missed:
        sys.exit("\n".join(["missed:", *missed]))


main()
