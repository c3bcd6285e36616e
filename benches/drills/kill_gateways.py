#!/usr/bin/env python3
"""Kills gateways at random moments under load, with budgets that run out, and counts the money afterwards.

Five gateways share budgets on a Redis (or Postgres) of the drill's own; a mock engine counts what it really did. After the
kills every gateway starts again on its own journal, and then must hold, to the nano-dollar:

  - spent + unattributed is at most the budget: overspent 0;
  - an answer that ended is booked at exactly what the engine billed for it; one that its client left, at no more output
    than the engine wrote; and what engines billed for answers that no journal knows is within unattributed: lost 0;
  - what the ledgers have booked is what the vaults call spent, and unattributed is listed;
  - free = funded - spent - unattributed, with no share outstanding after a drain;
  - what is free can be spent: asking on until every budget refuses leaves less than the least useful answer costs.

Needs Python 3.9, redis-server (for --shared redis), psql and a Postgres (for --shared postgres; its server is
SLUICE_TEST_POSTGRES, else postgres://postgres@127.0.0.1:5432/test). Example:

  benches/drills/kill_gateways.py --sluice target/release/sluice --kills 200 --hold escrow
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRICE = 10_000  # nano-USD for a token of either kind: 10 USD per million
PROCESSES = []
KEYS = [f"slk_drill_{n}" for n in range(6)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Engine(BaseHTTPRequestHandler):
    """An engine that answers 3 to 30 tokens, one every few milliseconds, and bills every token that it wrote."""

    protocol_version = "HTTP/1.1"
    billed = {}  # request id -> (tenant, prompt tokens, tokens written)
    lock = threading.Lock()
    rng = random.Random(1)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        tenant = body["messages"][0]["content"].split()[0]
        most = body.get("max_tokens", 64)
        with self.lock:
            n = min(most, self.rng.randint(3, 30))
        prompt, wrote = 12, 0
        try:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for _ in range(n):
                wrote += 1
                self.event({"choices": [{"index": 0, "delta": {"content": "tok "}}]})
                time.sleep(0.004)
            self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            usage = {"prompt_tokens": prompt, "completion_tokens": n}
            self.event({"choices": [], "usage": usage})
            self.chunk(b"data: [DONE]\n\n")
            self.chunk(b"")
        except OSError:
            self.close_connection = True
        with self.lock:
            self.billed[self.headers["x-request-id"]] = (tenant, prompt, wrote)

    def event(self, value):
        self.chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        """A gateway that was killed is no error of the engine's."""


def usd(nano):
    return f"{nano // 10**9}.{nano % 10**9:09}"


class Redis:
    """A Redis that forgets nothing."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--dir", self.folder, "--appendonly", "yes",
             "--appendfsync", "always", "--save", "", "--loglevel", "warning"], stdout=subprocess.DEVNULL)
        PROCESSES.append(self.process)
        time.sleep(0.5)

    def stop_for(self, seconds):
        self.process.kill()
        self.process.wait()
        time.sleep(seconds)
        self.start()


class Postgres:
    """A schema of the drill's own on a Postgres that runs."""

    def __init__(self):
        self.base = os.environ.get("SLUICE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/test")
        self.schema = f"sluice_drill_{os.getpid()}"
        self.say(f"CREATE SCHEMA {self.schema}")
        self.url = f"{self.base}{'&' if '?' in self.base else '?'}options=-csearch_path%3D{self.schema}"

    def say(self, sql):
        subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, self.base], check=True, stdout=subprocess.DEVNULL)

    def drop(self):
        self.say(f"SET client_min_messages = warning; DROP SCHEMA {self.schema} CASCADE")


class Gateway:
    def __init__(self, args, folder, n, engine, shared, ledger, budgets):
        self.args, self.folder = args, os.path.join(folder, f"gateway-{n}")
        os.makedirs(self.folder)
        self.port, self.admin = free_port(), free_port()
        self.config = os.path.join(self.folder, "sluice.toml")
        tenants = "".join(
            f'[[tenant]]\nid = "t{i}"\nkeys = [{{ sha256 = "{sha256(key.encode()).hexdigest()}", id = "k{i}" }}]\n'
            f'budget = {{ usd = "{usd(budgets[i])}", period = "ever" }}\n'
            for i, key in enumerate(KEYS)
        )
        with open(self.config, "w") as f:
            f.write(
                f'[server]\nlisten = "127.0.0.1:{self.port}"\nadmin_listen = "127.0.0.1:{self.admin}"\ndrain_ms = 3000\n'
                f'[store]\njournal = "sqlite:{self.folder}/sluice.db"\nhold = "{args.hold}"\nshared = "{shared}"\n'
                + (f'ledger = "{ledger}"\n' if ledger else "")
                + f'[[expert]]\nname = "big"\nmax_output_tokens = 64\n'
                f'price = {{ input_per_mtok = "10", output_per_mtok = "10" }}\n'
                f'[[expert.pool]]\nname = "p"\nendpoints = ["http://127.0.0.1:{engine}"]\n'
                f'first_token_timeout_ms = 5000\n' + tenants
            )
        self.process, self.starts = None, 0

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [self.args.sluice, "serve", "--config", self.config], stdout=subprocess.PIPE, stderr=log
        )
        line = self.process.stdout.readline().decode()
        if not line.startswith("sluice ready"):
            raise SystemExit(f"gateway did not start: {line!r}; see {self.folder}/log")
        self.starts += 1
        PROCESSES.append(self.process)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def drain(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=30) != 0:
            raise SystemExit(f"a drain failed; see {self.folder}/log")

    def booked(self):
        """What its journal has booked, by tenant, and what it calls unattributed."""
        db = sqlite3.connect(f"file:{self.folder}/sluice.db?mode=ro", uri=True)
        rows = db.execute(
            "SELECT tenant, debit, sum(amount_nanousd) FROM ledger_entries GROUP BY tenant, debit"
        ).fetchall()
        double = db.execute(
            "SELECT count(*) FROM (SELECT 1 FROM ledger_entries GROUP BY request_id, attempt, phase HAVING count(*) > 1)"
        ).fetchone()[0]
        attempts = db.execute(
            "SELECT label, ended, output_tokens, cost_nanousd FROM attempts JOIN (SELECT request_id, label FROM requests)"
            " USING (request_id)").fetchall()
        holds = db.execute("SELECT count(*) FROM holds LEFT JOIN closings USING (account, writer) WHERE closings.account IS NULL").fetchone()[0]
        return rows, double, holds, attempts


class Load(threading.Thread):
    """Asks one gateway after the other, streams, and leaves one answer in five in its middle."""

    def __init__(self, gateways, stop, seed, counts):
        super().__init__(daemon=True)
        self.gateways, self.stop, self.rng, self.counts = gateways, stop, random.Random(seed), counts

    def run(self):
        while not self.stop.is_set():
            tenant = self.rng.randrange(len(KEYS))
            outcome = ask(self.rng.choice(self.gateways).port, tenant, self.rng.random() < 0.2)
            self.counts[outcome] = self.counts.get(outcome, 0) + 1
            if outcome != "200":
                time.sleep(0.01)


def ask(port, tenant, leaves=False, max_tokens=30):
    try:
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        body = {"model": "big", "stream": True, "max_tokens": max_tokens,
                "messages": [{"role": "user", "content": f"t{tenant} says hello"}]}
        headers = {"authorization": f"Bearer {KEYS[tenant]}", "content-type": "application/json"}
        conn.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = conn.getresponse()
        if leaves and answer.status == 200:
            answer.read(200)
            conn.close()
            return "left"
        text = answer.read().decode(errors="replace")
        conn.close()
        if answer.status != 200:
            return str(json.loads(text)["error"]["code"])
        return "200" if "[DONE]" in text else "broken"
    except (OSError, http.client.HTTPException):
        return "no answer"


def drain(gateways, tenant, seed):
    """Asks until the budget has refused a few times in a row, at whichever gateway."""
    rng, refused = random.Random(seed), 0
    while refused < 5:
        refused = refused + 1 if ask(rng.choice(gateways).port, tenant) == "insufficient_quota" else 0


def vaults(args, gateway):
    out = subprocess.run([args.sluice, "budget", "--config", gateway.config, "--json"], capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit(f"sluice budget: {out.stderr}")
    return {b["level"]: b for b in json.loads(out.stdout)["budgets"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sluice", default="target/release/sluice")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--hold", choices=["escrow", "request"], default="escrow")
    parser.add_argument("--gateways", type=int, default=5)
    parser.add_argument("--shared", default="redis", help="redis: one of the drill's own; postgres: a schema of its own; or a URL")
    parser.add_argument("--ledger", default="", help="postgres:// URL of a common ledger to ship to")
    parser.add_argument("--store-stops", type=int, default=0, help="kill the drill's Redis so often, after the gateways")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-drill-")
    rng = random.Random(args.seed)
    redis, postgres, shared = None, None, args.shared
    if shared == "redis":
        redis = Redis(folder)
        shared = f"redis://127.0.0.1:{redis.port}/0"
    elif shared == "postgres":
        postgres = Postgres()
        shared = postgres.url
    engine = Server(("127.0.0.1", 0), Engine)
    threading.Thread(target=engine.serve_forever, daemon=True).start()
    # Some run out early, some late, one never.
    requests = [n * max(args.kills, 20) / 200 for n in (60, 300, 1_200, 2_500, 4_000)] + [10_000_000]
    budgets = [int(n * 30) * PRICE for n in requests]
    gateways = [Gateway(args, folder, n, engine.server_port, shared, args.ledger, budgets) for n in range(args.gateways)]
    for gateway in gateways:
        gateway.start()
    stop, counts = threading.Event(), {}
    loads = [Load(gateways, stop, args.seed * 1000 + n, counts) for n in range(24)]
    for load in loads:
        load.start()
    began = time.time()
    for n in range(args.kills):
        time.sleep(rng.uniform(0.02, 0.9))
        victim = rng.choice(gateways)
        victim.kill()
        time.sleep(rng.uniform(0, 0.2))
        victim.start()
        if (n + 1) % 20 == 0:
            print(f"{n + 1} kills, {time.time() - began:.0f} s, outcomes {counts}", file=sys.stderr, flush=True)
    for n in range(args.store_stops):
        time.sleep(rng.uniform(1, 3))
        before = dict(counts)
        away = rng.uniform(1, 6)
        redis.stop_for(away)
        during = {k: v - before.get(k, 0) for k, v in counts.items() if v > before.get(k, 0)}
        print(f"store killed for {away:.1f} s; outcomes meanwhile {during}", file=sys.stderr, flush=True)
    stop.set()
    for load in loads:
        load.join(30)
    # What is left must be spendable: all budgets but the one that never ends are asked until they refuse.
    time.sleep(3)
    drains = [threading.Thread(target=drain, args=(gateways, tenant, rng.randrange(1 << 30)))
              for tenant in range(len(KEYS) - 1) for _ in range(4)]
    for thread in drains:
        thread.start()
    for thread in drains:
        thread.join()
    for gateway in gateways:
        gateway.drain()
    settle = vaults(args, gateways[0])
    failures, rows = [], []
    booked, unattributed, double, holds, known = {}, {}, 0, 0, {}
    for gateway in gateways:
        entries, twice, open_holds, attempts = gateway.booked()
        known.update({label: rest for label, *rest in attempts})
        double += twice
        holds += open_holds
        for tenant, debit, amount in entries:
            into = unattributed if debit == "unattributed" else booked
            if debit != "overrun":
                into[tenant] = into.get(tenant, 0) + amount
    billed, unknown, ends = {}, {}, {"done": 0, "cut": 0, "unknown": 0}
    for label, (name, prompt, wrote) in Engine.billed.items():
        cost = (prompt + wrote) * PRICE
        billed[name] = billed.get(name, 0) + cost
        if label not in known:
            unknown[name] = unknown.get(name, 0) + cost
            ends["unknown"] += 1
            continue
        end, output, booked_cost = known[label]
        ends[end] = ends.get(end, 0) + 1
        if end == "done" and booked_cost != cost:
            failures.append(f"{label}: the engine billed {cost}, booked are {booked_cost}")
        if end == "cut" and output > wrote:
            failures.append(f"{label}: {output} tokens are booked of {wrote} that the engine wrote")
    for i, budget in enumerate(budgets):
        name = f"t{i}"
        vault, true = settle[name], billed.get(name, 0)
        spent, lost, free = vault["spent_nanousd"], vault["unattributed_nanousd"], vault["free_nanousd"]
        rows.append((name, budget, true, spent, lost, vault["shares_nanousd"], free))
        if spent + lost > budget:
            failures.append(f"{name}: overspent by {spent + lost - budget}")
        if unknown.get(name, 0) > lost:
            failures.append(f"{name}: lost {unknown[name]}, but only {lost} is called unattributed")
        if booked.get(name, 0) != spent:
            failures.append(f"{name}: booked {booked.get(name, 0)} but the vault says {spent}")
        if unattributed.get(name, 0) != lost:
            failures.append(f"{name}: listed unattributed {unattributed.get(name, 0)} but the vault says {lost}")
        if free + vault["shares_nanousd"] != budget - spent - lost:
            failures.append(f"{name}: free {free} + shares is not what is left")
        if i + 1 < len(budgets) and free + vault["shares_nanousd"] > (100 + 16) * PRICE:
            failures.append(f"{name}: {free + vault['shares_nanousd']} are left and can't be spent")
    if args.ledger:
        out = subprocess.run([args.sluice, "report", "--ledger", args.ledger, "--by", "tenant", "--json"],
                             capture_output=True, text=True)
        common = {g["by"]["tenant"]: g["cost_nanousd"] for g in json.loads(out.stdout)["groups"]}
        for name in settle:
            if common.get(name, 0) != booked.get(name, 0):
                failures.append(f"{name}: the common ledger has {common.get(name, 0)}, the journals {booked.get(name, 0)}")
        print(f"the common ledger: {common}")
    if double:
        failures.append(f"{double} entries are there twice")
    if holds:
        failures.append(f"{holds} holds are still open")
    print(f"{args.kills} kills of {args.gateways} gateways, hold = {args.hold}, shared = {shared.split(':')[0]}, "
          f"seed {args.seed}, {time.time() - began:.0f} s; answers by the journals {ends}; outcomes {dict(sorted(counts.items()))}")
    print(f"{'budget':8}{'funded':>16}{'engines billed':>16}{'spent':>16}{'unattributed':>16}{'in shares':>12}{'free':>16}")
    for row in rows:
        print(f"{row[0]:8}" + "".join(f"{n:>16}" if k != 4 else f"{n:>12}" for k, n in enumerate(row[1:])))
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"nano-USD; overspent: {sum(max(0, r[3] + r[4] - r[1]) for r in rows)}; double: {double}; "
          f"unattributed: {sum(r[4] for r in rows)} of {sum(r[1] for r in rows[:-1])} in the budgets that end")
    if not args.keep and not failures:
        shutil.rmtree(folder)
        if postgres:
            postgres.drop()
    else:
        print(f"kept {folder}")
    sys.exit(1 if failures else 0)


try:
    main()
finally:
    for process in PROCESSES:
        process.kill()
