#!/usr/bin/env python3
"""Makes up the events of a shop: people register, follow, look around, fill carts, buy, read what
they are sent, share, return things and leave again. The same arguments give the same bytes.

    ./events.py > events.ndjson                                   the sample that stands beside this
    ./events.py --customers 100000 --events 1000000 > big.ndjson  a large one, for measuring

Only the standard library is needed. Lines are in order of time; a few are sent twice, as sources do.
"""

import argparse
import datetime
import json
import random
import sys

START = datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = ["安安", "子涵", "浩然", "欣怡", "梓轩", "诗琪", "宇航", "佳怡", "俊杰", "思远", "雨桐", "明轩", "静", "伟", "芳", "敏", "磊", "洋", "艳", "勇"]
ABROAD = ["Anna Weber", "Tom O'Neill", "María López", "Jürgen Groß", "Zoë \"Zo\" Martin"]
CITIES = ["杭州", "上海", "北京", "广州", "深圳", "成都", "武汉", "西安", "南京", "苏州", "厦门", "长沙"]
CATEGORIES = {"茶具": (39, 399), "香薰": (29, 199), "文具": (5, 89), "家纺": (79, 699), "零食": (9, 59), "护肤": (49, 459)}
PAGES = ["home", "new", "sale", "search", "product", "story", "help"]
SOURCES = ["wechat", "weibo", "search", "friend", "shop"]
# How busy each hour of the day is.
HOURS = [2, 1, 1, 1, 1, 2, 4, 8, 10, 12, 14, 13, 16, 12, 10, 10, 11, 12, 14, 18, 22, 21, 14, 7]


class Shop:
    def __init__(self, customers, events, days, seed):
        self.random = random.Random(seed)
        self.days = days
        self.wanted = events
        self.lines = []
        self.made = 0
        self.orders = 0
        self.goods = []
        for category, (low, high) in CATEGORIES.items():
            for number in range(40):
                price = self.random.randint(low * 10, high * 10) / 10
                self.goods.append((f"{category}{number + 1:02d}", f"{price:.2f}", category))
        self.born = [self.join(number) for number in range(customers)]
        # Few come often, many come seldom.
        weights = [self.random.paretovariate(1.3) for _ in range(customers)]
        while self.made < events:
            for who in self.random.choices(range(customers), weights, k=1000):
                if self.made >= events:
                    break
                self.visit(who)

    def say(self, at, kind, who, data, by_openid=False):
        if self.made >= self.wanted or at >= self.days * 86400:
            return
        self.made += 1
        when = START + datetime.timedelta(seconds=at)
        subject = f"wechat_openid:{openid_of(who)}" if by_openid else customer_of(who)
        line = json.dumps(
            {"id": f"e{self.made:07d}", "type": kind, "time": when.isoformat(timespec="milliseconds" if at % 1 else "seconds"),
             "subject": subject, "data": data},
            ensure_ascii=False, separators=(",", ":"))
        self.lines.append((at, len(self.lines), line))
        if self.made < self.wanted and self.random.random() < 0.002:  # its source had no answer, and sends again
            self.made += 1
            self.lines.append((at, len(self.lines), line))

    def moment(self, first_day=0):
        """Seconds from the start: any day from `first_day` on, at a likely hour."""
        day = self.random.randrange(first_day, self.days) if first_day < self.days else self.days - 1
        hour = self.random.choices(range(24), HOURS)[0]
        return day * 86400 + hour * 3600 + self.random.randrange(3600 * 1000) / 1000

    def join(self, who):
        """Registers, on the first day or later; returns the day."""
        r = self.random
        at = self.moment() if r.random() < 0.6 else r.randrange(86400)
        data = {}
        if r.random() < 0.9:
            data["name"] = r.choice(ABROAD) if r.random() < 0.02 else r.choice(SURNAMES) + r.choice(GIVEN)
        if r.random() < 0.8:
            data["city"] = r.choice(CITIES)
        if r.random() < 0.6:
            data["phone"] = f"138{who:08d}"
        if r.random() < 0.4:
            data["email"] = f"{customer_of(who)}@example.com"
        data["source"] = r.choice(SOURCES)
        data["wechat_openid"] = openid_of(who)
        self.say(at, "register", who, data)
        if r.random() < 0.75:
            self.say(at + 1, "consented", who, {"purpose": "marketing"})
        if r.random() < 0.35:
            self.say(at + r.randrange(5, 600), "follow", who, {"channel": "wechat", "followers": int(r.paretovariate(0.9)) * 10})
        return int(at // 86400)

    def visit(self, who):
        if self.born[who] + 1 >= self.days:
            return
        r = self.random
        at = self.moment(self.born[who] + 1)
        what = r.random()
        if what < 0.18:  # reads a message
            self.say(at, "opened", who, {"content": "newsletter", "channel": "wechat"}, by_openid=r.random() < 0.5)
            if r.random() < 0.3:
                self.say(at + r.randrange(3, 90), "clicked", who, {"content": "newsletter", "channel": "wechat"}, by_openid=True)
            return
        if what < 0.22:
            self.say(at, "share", who, {"what": r.choice(self.goods)[0], "channel": r.choice(["wechat", "weibo"])})
            return
        if what < 0.225:
            self.say(at, "unfollow", who, {"channel": "wechat"})
            return
        if what < 0.23:
            self.say(at, "unsubscribed", who, {"purpose": "marketing"})
            return
        for _ in range(r.randint(0, 3)):
            self.say(at, "page_view", who, {"page": r.choice(PAGES)})
            at += r.randrange(5, 240)
        if r.random() < 0.45:
            return
        sku, price, category = r.choice(self.goods)
        self.say(at, "add_to_cart", who, {"sku": sku, "price": price, "category": category})
        decides = r.random()
        if decides < 0.4:
            at += r.randrange(60, 1500)
        elif decides < 0.55:
            at += r.randrange(1800, 2 * 86400)
        else:
            return
        self.orders += 1
        order = f"A{self.orders:07d}"
        self.say(at, "purchase", who, {"order": order, "amount": price, "sku": sku, "category": category, "channel": r.choice(["app", "web", "shop"])})
        if r.random() < 0.04:
            self.say(at + r.randrange(86400, 7 * 86400), "refund", who, {"order": order, "amount": price})


def customer_of(who):
    return f"c{who + 1:06d}"


def openid_of(who):
    return f"o{(who * 2654435761 + 97) % 2**32:08x}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=420)
    parser.add_argument("--events", type=int, default=4800)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=2026)
    arguments = parser.parse_args()
    shop = Shop(arguments.customers, arguments.events, arguments.days, arguments.seed)
    shop.lines.sort()
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.writelines(line + "\n" for _, _, line in shop.lines)


if __name__ == "__main__":
    main()
