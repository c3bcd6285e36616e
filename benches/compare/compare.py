#!/usr/bin/env python3
"""What a request costs on its way through Sluice: CPU of its process, latency beside asking the engine directly, memory.

  benches/compare/compare.py --sluice target/release/sluice [--seconds 6] [--rounds 3] [--json OUT]

Everything that it needs is in here: an engine that answers at once (one process, raw HTTP/1.1), clients that send prompts
which never repeat, graded outcomes that a router is trained on. Authentication, classification, metering and a budget are
on. Measured in turns with the direct way, so that a busy machine shows on both sides. CPU is user and system time of the
gateway's process, from /proc; memory is its proportional set size.
"""
import argparse, asyncio, json, multiprocessing as mp, os, random, socket, statistics, subprocess, tempfile, time

TICK = os.sysconf("SC_CLK_TCK")
KEY = "sk-bench-0123456789abcdef"
PORT, UP = 9310, (9311, 9312)
ANSWER = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "mock",
                     "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 20}, "finish_reason": "stop"}],
                     "usage": {"prompt_tokens": 750, "completion_tokens": 20, "total_tokens": 770}}).encode()
EVENT = json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "mock",
                    "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}]}).encode()
LAST = json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "mock",
                   "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                   "usage": {"prompt_tokens": 750, "completion_tokens": 128}}).encode()
TOKENS, GAP = 128, 0.010


def chunk(data):
    body = b"data: " + data + b"\n\n"
    return b"%x\r\n" % len(body) + body + b"\r\n"


class Engine(asyncio.Protocol):
    """Answers a chat request at once, or streams it; anything else is well."""

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end].lower()
            at = head.find(b"content-length: ")
            length = int(head[at + 16:].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4:end + 4 + length], self.buffer[end + 4 + length:]
            if b'"stream":true' in body.replace(b" ", b""):
                asyncio.ensure_future(self.stream())
            else:
                self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)

    async def stream(self):
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        begun = time.monotonic()
        for n in range(TOKENS):
            self.transport.write(chunk(EVENT))
            await asyncio.sleep(max(0.0, begun + (n + 1) * GAP - time.monotonic()))
        self.transport.write(chunk(LAST) + chunk(b"[DONE]") + b"0\r\n\r\n")


def engine():
    async def serve():
        loop = asyncio.get_running_loop()
        for port in UP:
            await loop.create_server(Engine, "127.0.0.1", port)
        await asyncio.Event().wait()
    asyncio.run(serve())


def prompt(draw, size):
    """Words of which no two prompts have the same, as far as a router can tell."""
    letters = "".join(draw.choices("etaoinshrdlucmfwypvbgkqjxz", weights=range(26, 0, -1), k=size))
    words, at = [], 0
    while at < size:
        length = draw.randint(2, 9)
        words.append(letters[at:at + length])
        at += length + 1
    return " ".join(words)[:size]


def request(model, text, stream, tokens=TOKENS):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]} | ({"stream": True, "max_tokens": tokens} if stream else {})).encode()
    return (b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer " + KEY.encode()
            + b"\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


class Client(asyncio.Protocol):
    """One connection that sends the next request when the last one is answered."""

    def __init__(self, requests, until, told):
        self.requests, self.until, self.told, self.buffer, self.n = requests, until, told, b"", 0

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next()

    def next(self):
        if time.monotonic() >= self.until:
            self.transport.close()
            return
        self.sent, self.first = time.monotonic(), None
        self.n += 1
        self.transport.write(self.requests[(self.n * 31 + id(self) // 64) % len(self.requests)])

    def data_received(self, data):
        self.buffer += data
        if self.first is None and (b"data: " in self.buffer or b"content-length" in self.buffer.lower()):
            self.first = time.monotonic()
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length: ")
        if at >= 0:
            if len(self.buffer) < end + 4 + int(head[at + 16:].split(b"\r\n", 1)[0]):
                return
        elif not self.buffer.endswith(b"0\r\n\r\n"):
            return
        ok = head.startswith(b"http/1.1 200")
        self.told.append((ok, self.first - self.sent, time.monotonic() - self.sent, self.buffer.count(b"data: ")))
        self.buffer = b""
        self.next()


def clients(port, model, connections, seconds, stream, size, seed, out):
    draw = random.Random(seed)
    requests = [request(model, prompt(draw, size), stream) for _ in range(200 if size < 10_000 else 20)]
    async def run():
        loop, told = asyncio.get_running_loop(), []
        until = time.monotonic() + seconds
        await asyncio.gather(*(loop.create_connection(lambda: Client(requests, until, told), "127.0.0.1", port) for _ in range(connections)))
        await asyncio.sleep(seconds + (2.0 if stream else 0.3))
        return told
    out.put(asyncio.run(run()))


def drive(port, model, connections, seconds, stream=False, size=3000, processes=2):
    processes = min(processes, connections)
    out = mp.Queue()
    each = [mp.Process(target=clients, args=(port, model, connections // processes, seconds, stream, size, random.random(), out)) for _ in range(processes)]
    for one in each: one.start()
    told = [row for _ in each for row in out.get()]
    for one in each: one.join()
    return told


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return round(next(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024, 1)


def train(sluice, run):
    """A router that knows two experts: short questions are the small one's too, long ones need the large one."""
    draw = random.Random(7)
    with open(f"{run}/graded.jsonl", "w") as f:
        for n in range(1500):
            hard = n % 3 == 0
            text = ("prove carefully that " if hard else "what is ") + prompt(draw, draw.randint(40, 400))
            small = 1.0 if not hard or draw.random() < 0.2 else 0.0
            rows = [("small", small, 60), ("large", 1.0 if draw.random() < 0.95 else 0.0, 90)]
            f.write(json.dumps({"id": f"q{n}", "source": "compare", "subject": "hard" if hard else "easy", "lang": "en", "prompt": text,
                                "outcomes": [{"expert": e, "score": s, "output_tokens": t} for e, s, t in rows]}) + "\n")
    with open(f"{run}/prices.toml", "w") as f:
        f.write('[expert.small]\ninput_per_mtok = "0.10"\noutput_per_mtok = "0.40"\n[expert.large]\ninput_per_mtok = "10.00"\noutput_per_mtok = "30.00"\n')
    subprocess.run([sluice, "train", "--data", f"{run}/graded.jsonl", "--prices", f"{run}/prices.toml", "--out", f"{run}/router.sluice"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start(sluice, run, changed=None):
    here = os.path.dirname(os.path.abspath(__file__))
    text = open(f"{here}/sluice.toml").read()
    for name, value in {"@PORT@": PORT, "@UP1@": UP[0], "@UP2@": UP[1], "@RUN@": run, **(changed or {})}.items():
        text = text.replace(name, str(value))
    with open(f"{run}/sluice.toml", "w") as f:
        f.write(text)
    process = subprocess.Popen([sluice, "serve", "--config", f"{run}/sluice.toml"], stdout=subprocess.PIPE, stderr=open(f"{run}/log", "w"),
                               env=os.environ | {"RUST_LOG": "warn"}, text=True)
    assert process.stdout.readline().startswith("sluice ready"), open(f"{run}/log").read()
    return process


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(p * len(values)))] * 1e3 if values else float("nan")


CASES = [  # name, model, connections, stream, bytes of prompt
    ("unary, routed, 64 at once", "auto", 64, False, 3000),
    ("unary, pinned expert, 64 at once", "small", 64, False, 3000),
    ("unary, routed, one at a time", "auto", 1, False, 3000),
    ("stream, routed, 50 at once", "auto", 50, True, 3000),
    ("stream, 220 KB of prompt, 50 at once", "auto", 50, True, 220 * 1024),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default="target/release/sluice")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    ask = parser.parse_args()
    rows = {name: [] for name, *_ in CASES}
    with tempfile.TemporaryDirectory() as run:
        upstream = mp.Process(target=engine, daemon=True)
        upstream.start()
        train(ask.sluice, run)
        gateway = start(ask.sluice, run)
        try:
            time.sleep(1)
            idle = memory(gateway.pid)
            drive(PORT, "auto", 16, 2)
            for _ in range(ask.rounds):
                for name, model, connections, stream, size in CASES:
                    direct = drive(UP[0], model, connections, ask.seconds / 2, stream, size)
                    before = cpu(gateway.pid)
                    told = drive(PORT, model, connections, ask.seconds, stream, size)
                    used = cpu(gateway.pid) - before
                    good = [row for row in told if row[0]]
                    rows[name].append({
                        "errors": len(told) - len(good),
                        "requests_per_s": len(good) / ask.seconds,
                        "cpu_us_per_request": used / max(1, len(good)) * 1e6,
                        "cpu_us_per_event": used / max(1, sum(row[3] for row in good)) * 1e6 if stream else None,
                        "added_ttft_p50_ms": percentile([row[1] for row in good], .5) - percentile([row[1] for row in direct], .5),
                        "added_ttft_p99_ms": percentile([row[1] for row in good], .99) - percentile([row[1] for row in direct], .99),
                    })
            after = memory(gateway.pid)
        finally:
            gateway.terminate()
            gateway.wait()
            upstream.terminate()
    print(f"memory: {idle} MiB idle, {after} MiB afterwards\n")
    print("| case | requests/s | CPU us a request | CPU us an event | added to the first byte p50, p99, ms | errors |\n| --- | --- | --- | --- | --- | --- |")
    for name, runs in rows.items():
        middle = lambda field: statistics.median(run[field] for run in runs) if runs[0][field] is not None else None
        event = middle("cpu_us_per_event")
        print(f"| {name} | {middle('requests_per_s'):.0f} | {middle('cpu_us_per_request'):.0f} | {'' if event is None else f'{event:.1f}'} "
              f"| {middle('added_ttft_p50_ms'):.2f}, {middle('added_ttft_p99_ms'):.2f} | {sum(run['errors'] for run in runs)} |")
    if ask.json:
        with open(ask.json, "w") as f:
            json.dump({"memory_mib": {"idle": idle, "after": after}, "cases": rows}, f, indent=1)


if __name__ == "__main__":
    main()
