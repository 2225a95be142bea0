#!/usr/bin/env python3
"""`koi run` with many campaigns: the shop of rules-examples/, its events forty times over (each time
other customers), and N campaigns beside its own, a quarter of them absences.

  campaigns.py --koi BUILD/koi [--work build/campaigns] [--campaigns 10 1000 10000]

Prints processor seconds with and without the making of the program, and the memory. Seeded: the same
program and events each time.
"""
import argparse, collections, json, os, pathlib, random, shutil, subprocess

SHOP = pathlib.Path(__file__).resolve().parents[2] / "rules-examples/shop"
COPIES = 40


def make_events(path):
    """Writes the events; gives what the shop's fields hold."""
    values, count = collections.defaultdict(set), 0
    with open(path, "w", encoding="utf-8") as out:
        for line in (SHOP / "events.ndjson").read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            data = {k: v for k, v in event.get("data", {}).items() if k not in ("phone", "email", "wechat_openid")}
            for name, value in data.items():
                values[event["type"], name].add(value)
            for copy in range(COPIES):
                made = {**event, "id": f"{event['id']}-{copy}", "subject": f"{event['subject']}{copy:02d}", "data": data}
                out.write(json.dumps(made, ensure_ascii=False) + "\n")
                count += 1
    return {key: sorted(texts) for key, texts in values.items() if all(isinstance(t, str) for t in texts)}, count


def campaign(dice, number, values):
    pick = lambda event, field: dice.choice(values[event, field])
    from_price = dice.randrange(1, 900)
    when = dice.choice([
        f'when purchase where amount > ¥{dice.randrange(100, 1500)}.00 and sku == "{pick("purchase", "sku")}"',
        f'when add_to_cart as cart where cart.sku == "{pick("add_to_cart", "sku")}" and cart.price > ¥{from_price}.00'
        f" and cart.price < ¥{from_price + 20}.00 and no purchase where sku == cart.sku within 30 minutes",
        f'when page_view where page == "{pick("page_view", "page")}"'
        f" and time since last purchase > {dice.randrange(1, 60)} days",
        f"when purchase where amount >= ¥{from_price}.00 and amount < ¥{from_price + 1}.00",
    ])
    audience = f"  for customer.followers >= {dice.randrange(9000, 20000)}\n" if dice.random() < 0.7 else ""
    return (f"campaign x{number} {{\n  class marketing\n{audience}  enter once every 3 days\n"
            f"  {when}\n    send hi_all via wechat, else sms\n}}\n")


def measured(command):
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"failed: {command}")
    return usage.ru_utime, usage.ru_maxrss // 1024


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--koi", required=True, type=pathlib.Path)
    options.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/campaigns"))
    options.add_argument("--campaigns", type=int, nargs="+", default=[10, 1000, 10000])
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    events = given.work / "events.ndjson"
    values, count = make_events(events)
    print("| campaigns | check, s | run, s | µs an event | effects | peak memory |\n| --- | --- | --- | --- | --- | --- |")
    for number in given.campaigns:
        program = given.work / f"program-{number}"
        shutil.rmtree(program, ignore_errors=True)
        program.mkdir()
        for file in SHOP.glob("*.koi"):
            shutil.copy(file, program)
        dice = random.Random(number)
        text = 'content hi_all { body "hello" }\n' + "".join(campaign(dice, i, values) for i in range(number))
        (program / "many.koi").write_text(text, encoding="utf-8")
        effects = given.work / "effects.ndjson"
        check, _ = measured([given.koi, "check", program])
        run, memory = measured([given.koi, "run", program, "--events", events, "--effects", effects])
        with open(effects, encoding="utf-8") as lines:
            decided = sum(1 for _ in lines)
        print(f"| {number:,} | {check:.2f} | {run:.2f} | {(run - check) / count * 1e6:.1f} | {decided:,} | {memory} MB |")


main()
