"""The running server from the outside: its API, bad input, a stop and a start, and a bad environment.

server_test.py KOI
"""

import concurrent.futures
import errno
import http.client
import json
import os
import pathlib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

from server import RULES, Server, lines_of, order

KOI = sys.argv[1]


class ServerTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def server(self, **more):
        server = Server(KOI, self.folder, **more)
        self.addCleanup(lambda: server.process and server.process.poll() is None and server.kill())
        return server

    def refused(self, server, *more):
        """What it says where it does not even begin."""
        done = subprocess.run(server.command(*more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})
        self.assertEqual(done.returncode, 2, done)
        return done.stderr.decode()

    def test_events_are_decided_and_delivered_and_the_customer_shows_it(self):
        server = self.server(environment={"channels": {c: {"connector": "file", "path": str(self.folder / "out.ndjson")} for c in ("app", "sms")}})
        server.start()
        self.assertEqual(server.ask("GET", "/healthz"), (200, {"status": "ok"}))
        self.assertEqual(server.ask("GET", "/readyz"), (200, {"status": "ready"}))
        now = time.time()
        status, answer = server.send({"id": "r1", "type": "register", "time": "2020-01-01T00:00:00Z", "subject": "ann", "data": {}},
                                     {"id": "r2", "type": "register", "time": order(0, "", now - 60)["time"], "subject": "ann", "data": {"phone": "13800138000"}},
                                     order(1, "ann", now), order(1, "ann", now), order(2, "bob", now))
        self.assertEqual(status, 200)
        self.assertEqual([r["status"] for r in answer["results"]], ["too_late", "accepted", "accepted", "duplicate", "accepted"])
        self.assertEqual((answer["accepted"], answer["duplicates"], answer["rejected"]), (3, 1, 0))

        out = self.folder / "out.ndjson"
        server.until(lambda: len(lines_of(out)) == 4)
        lines = lines_of(out)
        self.assertEqual(sorted((x["customer"], x["channel"], x["content"], x["body"]) for x in lines), [
            ("ann", "app", "thanks", "Thank you for sku 1."), ("ann", "sms", "reminder", "How is sku 1?"),
            ("bob", "app", "reminder", "How is sku 2?"), ("bob", "app", "thanks", "Thank you for sku 2.")])
        self.assertEqual({x["customer"]: x.get("to") for x in lines if x["channel"] == "sms"}, {"ann": {"phone": "13800138000"}})

        def settled():
            return len(server.customer("ann")[1]["timeline"]) == 5
        server.until(settled)
        status, ann = server.customer("ann")
        self.assertEqual(status, 200)
        self.assertEqual((ann["id"], ann["attributes"]["phone"], ann["metrics"], ann["segments"], ann["journeys"]),
                         ("ann", "13800138000", {"orders": 1, "spend": "9.90"}, ["buyer"], []))
        self.assertEqual([line["action"] for line in ann["timeline"]][::-1], ["enter", "send", "delivered", "send", "delivered"])
        self.assertEqual(server.customer("phone:13800138000")[1]["id"], "ann")
        self.assertEqual(server.customer("nobody")[0], 404)

        [thanking] = server.ask("GET", "/v1/campaigns")[1]["campaigns"]
        self.assertEqual((thanking["name"], thanking["entered"], thanking["sent"], thanking["refused"]), ("thanking", 2, 4, {}))
        server.until(lambda: "koi_deliveries_open 0\n" in server.ask("GET", "/metrics")[1])  # Bob's too
        metrics = server.ask("GET", "/metrics")[1]
        for line in ('koi_events_total{result="accepted"} 3', 'koi_deliveries_total{channel="app",result="delivered"} 3',
                     'koi_campaign_actions_total{campaign="thanking",action="send"} 4'):
            self.assertIn(line + "\n", metrics)
        status, page = server.ask("GET", "/")
        self.assertIn("thanking", page)
        self.assertEqual(server.stop()[0], 0)

    def test_teams_and_webhooks_are_reached_and_a_campaign_is_called(self):
        out = self.folder / "out.ndjson"
        file = {"connector": "file", "path": str(out)}
        server = self.server(rules=RULES.parent / "teams.koi", environment={"teams": {"care": file}, "webhooks": {"crm": file}}).start()
        asked = {"id": "q1", "type": "asked", "time": order(0, "", time.time())["time"], "subject": "ann", "data": {"text": "where is it?"}}
        self.assertEqual(server.send(asked, asked)[1]["accepted"], 1)
        called = json.dumps({"id": "c1", "subject": "bob"}).encode()
        for _ in range(2):  # the same call, once more
            self.assertEqual(server.ask("POST", "/v1/campaigns/follow_up/call", called, {"Content-Type": "application/json"})[0], 200)
        self.assertEqual(server.ask("POST", "/v1/campaigns/nobody/call", called, {"Content-Type": "application/json"})[0], 404)
        server.until(lambda: len(lines_of(out)) == 3)
        text = out.read_text()
        self.assertEqual(sorted(json.loads(line)["customer"] for line in text.splitlines()), ["ann", "ann", "bob"])
        for says in ("asked: where is it?", "please call bob back"):
            self.assertEqual(text.count(says), 1, text)
        self.assertEqual(server.ask("GET", "/readyz")[0], 200)
        self.assertEqual(server.stop()[0], 0)

    def test_the_staff_takes_what_it_is_told_by_its_link_over_a_kill(self):
        out, rules = self.folder / "out.ndjson", self.folder / "staff.koi"
        rules.write_text("""
            event asked { text: text }
            team care
            policy { time zone "Asia/Shanghai" }
            campaign help { class service  enter always  when asked as q  notify care "asked: {q.text}" within 15 minutes }
        """)
        server = self.server(rules=rules, environment={"teams": {"care": {"connector": "file", "path": str(out)}},
                                                       "public_url": "https://m.shop.example"}).start()

        asked = {"id": "q1", "type": "asked", "time": order(0, "", time.time())["time"], "subject": "ann", "data": {"text": "?"}}
        self.assertEqual(server.send(asked)[1]["accepted"], 1)
        server.until(lambda: lines_of(out))
        link = lines_of(out)[0]["link"]
        self.assertRegex(link, r"^https://m\.shop\.example/t/[\w-]{27}$")
        address = link.removeprefix("https://m.shop.example")

        def taken():
            return [line for line in server.customer("ann")[1]["timeline"] if line["action"] == "taken"]

        status, page = server.ask("GET", address)
        self.assertEqual(status, 200)
        self.assertIn('name="by"', page)
        server.kill()
        server.start()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assertEqual(server.ask("POST", address, "by=%E5%BC%A0%E4%B8%89", form)[0], 200)
        self.assertEqual(server.ask("POST", address, "by=Li", form)[0], 409)
        server.until(taken)
        self.assertEqual([(line["name"], line["by"]) for line in taken()], [("care", "张三")])
        self.assertEqual(server.stop()[0], 0)

    def test_an_identifier_stands_for_its_customer_over_a_kill(self):
        server = self.server().start()
        self.assertEqual(server.send(order(1, "phone:13800138001"))[1]["accepted"], 1)
        server.kill()
        server.start()
        self.assertEqual(server.send(order(2, "phone:13800138001"))[1]["accepted"], 1)
        status, who = server.customer("phone:13800138001")
        self.assertEqual((status, who["id"], who["metrics"]["orders"]), (200, "phone:13800138001", 2))

    def test_a_body_is_one_object_an_array_or_lines(self):
        server = self.server().start()
        json_type = {"Content-Type": "application/json"}
        bodies = [json.dumps(order(1, "ann")), json.dumps(order(2, "ann"), indent=2), json.dumps([order(3, "ann"), order(4, "ann")], indent=1),
                  json.dumps(order(5, "ann")) + "\n\n" + json.dumps(order(6, "ann")) + "\r\n"]
        for body in bodies:
            self.assertEqual(server.ask("POST", "/v1/events", body.encode(), json_type)[0], 200, body)
        self.assertEqual(server.customer("ann")[1]["metrics"]["orders"], 6)
        self.assertEqual(server.ask("POST", "/v1/events", b"", json_type), (200, {"accepted": 0, "duplicates": 0, "rejected": 0, "results": []}))

    def test_what_is_no_event_is_refused_line_by_line_and_the_rest_goes_on(self):
        server = self.server().start()
        bad = [b'{"id":', b'{"id":"x1","type":"order","time":"0001-01-01T00:00:00Z","subject":"ann","data":{"amount":"1"}}',
               b'{"id":"x2","type":"order","time":"9999-01-01T00:00:00Z","subject":"ann","data":{"amount":"1"}}',
               b'{"id":"x3","type":"order","time":"2026-01-01T00:00:00Z","subject":"ann","data":{"amount":"much"}}',
               b'{"id":"x4","type":"order","time":"2026-01-01T00:00:00Z","subject":"a\xff","data":{"amount":"1"}}',
               b'{"id":"x5","type":"order","time":"2026-01-01T00:00:00Z","subject":"\x00","data":{"amount":"1"}}',
               b'{"id":"x6","type":"unheard_of","time":"2026-01-01T00:00:00Z","subject":"ann","data":{}}', b"[[[[[", b'"', b"}"]
        body = b"\n".join(bad + [json.dumps(order(1, "ann")).encode()])
        status, answer = server.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
        self.assertEqual(status, 200)
        self.assertEqual([r["status"] for r in answer["results"]], ["rejected"] * 6 + ["unknown_type"] + ["rejected"] * 3 + ["accepted"])
        self.assertTrue(all(r["reason"] for r in answer["results"][:-1]))
        self.assertIn("amount", answer["results"][3]["reason"])
        for whole in (b"[" + b",".join(bad[3:4] * 2) + b"]", b"not json", b"[1, 2", b"[}]", b"{}]", b"\xff\xfe"):
            status, answer = server.ask("POST", "/v1/events", whole, {"Content-Type": "application/json"})
            self.assertEqual((status, answer["accepted"]), (400, 0), whole)
        self.assertEqual(server.customer("ann")[1]["metrics"]["orders"], 1)

    def test_what_is_too_large_is_refused(self):
        server = self.server().start()
        status, answer = server.send(*[order(i, "ann") for i in range(10_001)])
        self.assertEqual((status, answer["error"]), (413, "too_many"))
        line = json.dumps(order(1, "ann", note="x" * 10_000_000)).encode()
        try:
            status, _ = server.ask("POST", "/v1/events", line)
            self.assertEqual(status, 413)
        except (ConnectionError, http.client.HTTPException):
            pass  # it hung up before all of it was sent
        status, answer = server.send(order(2, "ann", sku="y" * 2_000_000))
        self.assertEqual((status, answer["results"][0]["status"]), (400, "rejected"))
        self.assertEqual(server.send(order(3, "ann"))[1]["accepted"], 1)

    def test_addresses_and_methods_that_it_does_not_know(self):
        server = self.server().start()
        self.assertEqual(server.ask("GET", "/v2/events")[0], 404)
        self.assertEqual(server.ask("DELETE", "/v1/events")[0], 405)
        self.assertEqual(server.ask("POST", "/v1/customers/ann")[0], 405)
        self.assertEqual(server.ask("GET", "/v1/customers/a%20b%2Fc")[0], 404)

    def test_pages_of_other_sites_are_refused(self):
        server = self.server().start()
        self.assertEqual(server.ask("POST", "/v1/events", b"", {"Origin": "http://evil.example"})[0], 403)
        self.assertEqual(server.ask("POST", "/v1/events", b"", {"Origin": f"http://127.0.0.1:{server.port}"})[0], 200)

    def test_a_token_is_asked_for(self):
        server = self.server(token="secret-3").start()
        self.assertEqual(server.ask("GET", "/v1/campaigns")[0], 200)
        for wrong in ("", "Bearer", "Bearer secret-4", "Bearer secret-33", "secret-3"):
            self.assertEqual(server.ask("GET", "/v1/campaigns", headers={"Authorization": wrong})[0], 401, wrong)
        self.assertEqual(server.ask("GET", "/healthz", headers={"Authorization": ""})[0], 200)
        server.stop()
        self.assertNotIn("secret-3", server.log.read_text())
        self.assertIn("KOI_TOKEN", self.refused(self.server(listen="0.0.0.0:0")))

    def test_a_stop_loses_nothing_and_leaves_no_tail(self):
        server = self.server().start()
        acknowledged = set()

        def client(number):
            connection = server.connection()
            try:
                for i in range(10_000):
                    name = f"{number}-{i}"
                    status, answer = server.send(order(name, f"c{i % 50}"), connection=connection)
                    if status != 200 or answer["accepted"] != 1:
                        return
                    acknowledged.add(name)
            except (ConnectionError, http.client.HTTPException, socket.timeout):
                return

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            clients = [pool.submit(client, n) for n in range(8)]
            time.sleep(1)
            status, _ = server.stop()
            for each in clients:
                each.result()
        self.assertEqual(status, 0)
        self.assertGreater(len(acknowledged), 20)
        server.start()
        self.assertNotIn("recovered", server.log.read_text())
        orders = sum(server.customer(f"c{i}")[1].get("metrics", {}).get("orders", 0) for i in range(50))
        self.assertGreaterEqual(orders, len(acknowledged))

    def test_a_second_server_on_the_same_data_is_refused(self):
        server = self.server().start()
        self.assertIn("is in use by process", self.refused(server))
        self.assertEqual(server.send(order(1, "ann"))[1]["accepted"], 1)

    def test_a_port_in_use_is_named_and_the_next_ones_can_be_tried(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = self.server(listen=f"127.0.0.1:{port}")
            self.assertIn(f"127.0.0.1:{port}", self.refused(server))
            if port < 65_000:
                server.start("--other-ports", "20")
                self.assertGreater(server.port, port)

    def test_a_read_only_folder_is_named(self):
        if os.geteuid() == 0 and not pathlib.Path("/proc/sys").is_dir():
            self.skipTest("nothing here is read-only for root")
        server = self.server()
        server.data = pathlib.Path("/proc/sys/koi") if os.geteuid() == 0 else self.folder / "shut"
        if os.geteuid() != 0:
            server.data.mkdir(mode=0o500)
        self.assertIn(str(server.data), self.refused(server))

    def test_files_of_a_newer_version_are_refused(self):
        server = self.server().start()
        server.stop()
        for name in ("journal.db", "state-0.db", "identifiers.db", "timeline.db"):
            database = sqlite3.connect(server.data / name)
            [version] = database.execute("PRAGMA user_version").fetchone()
            database.execute("PRAGMA user_version = 99")
            database.commit()
            words = self.refused(server)
            self.assertIn(name, words)
            self.assertIn("newer", words)
            database.execute(f"PRAGMA user_version = {version}")
            database.commit()
            database.close()
        server.start()

    def test_a_full_disk_closes_the_door_and_nothing_accepted_is_lost(self):
        # Files may not grow beyond this: what a full disk is to a process that has one.
        server = self.server()
        command = server.command
        server.command = lambda *more: ["sh", "-c", 'ulimit -f 3000; exec "$0" "$@"', *command(*more)]
        server.start()
        acknowledged = 0
        for i in range(400):
            try:
                status, answer = server.send(*[order(f"{i}-{n}", f"c{n}", sku="x" * 900) for n in range(20)])
            except (ConnectionError, http.client.HTTPException):
                break
            if status != 200:
                self.assertEqual(status, 503)
                self.assertTrue(answer["message"])
                break
            acknowledged += answer["accepted"]
        else:
            self.fail("the files grew on")
        self.assertGreater(acknowledged, 100)
        if server.process.poll() is None:
            server.kill()
        server.command = command  # there is room again
        server.start()
        orders = sum(server.customer(f"c{n}")[1]["metrics"]["orders"] for n in range(20))
        self.assertGreaterEqual(orders, acknowledged)
        self.assertEqual(server.send(order("after", "c0"))[1]["accepted"], 1)

    def test_a_disk_without_any_room_is_told_of_and_is_no_matter_when_there_is_some_again(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=320m", "koi", str(disk)]
        if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("a disk of a size of its own needs the right to mount one")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(disk)], check=True)
        server = self.server()
        server.data = disk / "data"
        server.start()
        acknowledged = [f"a{i}" for i in range(40)]
        self.assertEqual(server.send(*[order(i, f"c{n % 4}") for n, i in enumerate(acknowledged)])[1]["accepted"], 40)
        with open(disk / "other", "wb", buffering=0) as other:  # somebody else takes all that there is
            with self.assertRaises(OSError) as full:
                while True:
                    other.write(bytes(1 << 20))
            self.assertEqual(full.exception.errno, errno.ENOSPC)
        server.until(lambda: server.ask("GET", "/readyz")[0] == 503)
        self.assertIn("full", json.dumps(server.ask("GET", "/readyz")[1]))
        status, answer = server.send(order("outside", "c0"))
        self.assertEqual((status, answer["error"]), (503, "full"))
        self.assertIn(str(server.data), answer["message"])
        self.assertEqual(server.customer("c1")[1]["metrics"]["orders"], 10)
        server.kill()  # nothing could be written back: the journal has it
        self.assertIn(str(server.data), self.refused(server))
        (disk / "other").unlink()
        server.start()
        for customer in range(4):
            self.assertEqual(server.customer(f"c{customer}")[1]["metrics"]["orders"], 10)
        self.assertEqual(server.send(order("outside", "c0"))[1]["accepted"], 1)
        self.assertEqual(server.stop()[0], 0)

    def test_other_rules_are_deployed_by_a_start_and_new_metrics_know_the_past(self):
        program = self.folder / "program.koi"
        text = RULES.read_text()
        program.write_text(text)
        server = self.server(rules=program).start()
        server.send(*[order(i, "ann", sku="tea" if i % 3 == 0 else "rice") for i in range(10)], order(3, "ann"))
        server.kill()  # a tail that the old rules must decide
        program.write_text(text.replace("segment buyer", "metric teas = count order where order.sku == \"tea\"\n"
                                        "metric last_sku = last order.sku\nsegment tea_friend when teas >= 3\nsegment buyer"))
        server.start()
        self.assertIn("teas", server.log.read_text())
        ann = server.customer("ann")[1]
        self.assertEqual(ann["metrics"], {"orders": 10, "spend": "99.00", "teas": 4, "last_sku": "tea"})
        self.assertEqual(sorted(ann["segments"]), ["buyer", "tea_friend"])
        [thanking] = server.ask("GET", "/v1/campaigns")[1]["campaigns"]
        self.assertEqual(thanking["entered"], 2)
        server.send(order(10, "ann", sku="tea"))
        self.assertEqual(server.customer("ann")[1]["metrics"]["teas"], 5)
        server.stop()
        program.write_text(text)  # and back
        server.start()
        self.assertEqual(server.customer("ann")[1]["metrics"], {"orders": 11, "spend": "108.90"})

    def test_what_waits_for_a_provider_does_not_leave_after_an_unsubscribe(self):
        with socket.socket() as nobody:  # refuses connections: the first provider is down
            nobody.bind(("127.0.0.1", 0))
            down = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
            os.environ["KOI_TEST_WEBHOOK"] = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
            webhook = {"connector": "webhook", "url": down, "secret": "env:KOI_TEST_WEBHOOK"}
            server = self.server(rules=self.folder / "news.koi", environment={"channels": {"app": webhook}})
            server.rules.write_text(RULES.read_text().replace("class transactional", "class service").replace(
                "reach by phone", "").replace("send reminder via sms, else app", "stop").replace("channel sms { class direct  cost ¥0.045   }\n", ""))
            server.start()
            server.send(order(1, "ann"), order(2, "bob"))
            server.until(lambda: "koi_deliveries_open 2\n" in server.ask("GET", "/metrics")[1])
            server.send({"id": "u1", "type": "unsubscribed", "time": order(0, "")["time"], "subject": "ann", "data": {"channel": "app"}})
            server.until(lambda: "koi_deliveries_open 1\n" in server.ask("GET", "/metrics")[1])
            server.until(lambda: [x["action"] for x in server.customer("bob")[1]["timeline"]] == ["send", "enter"])
            server.until(lambda: "failed" in [x["action"] for x in server.customer("ann")[1]["timeline"]])

    def test_a_bad_environment_names_the_file_and_the_place(self):
        for environment, words in (({"channels": {"app": {"connector": "pigeon"}}}, "pigeon"), ({"channels": {"post": {"connector": "console"}}}, "post"),
                                   ({"channels": {"app": {"connector": "file"}}}, "path")):
            server = self.server(environment=environment)
            said = self.refused(server)
            self.assertIn("environment.json", said)
            self.assertIn(words, said)
        missing = self.server()
        self.assertIn("nowhere.json", self.refused(missing, "--env", "nowhere.json"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
