#!/usr/bin/env python3
"""What a stream costs that is open and quiet, and whether a client that does not read holds up the others.

  benches/compare/streams.py --sluice target/release/sluice [--quiet 1500] [--open 8000] [--seconds 12] [--rounds 2]

Quiet: so many streams are opened whose engine sends one event and nothing more; the gateway's proportional set size with
them, less that without, is what a stream costs. Then the same again, with the memory that the first ones have left.
Stalled: so many streams are open, each with an event every few seconds, and in every second turn one more client whose
engine sends as fast as it may and which reads nothing. How late an event comes is its distance from the one before less
the engine's. A listener holds 16,384 connections, and a stream takes two descriptors: `ulimit -n` must allow for both.
"""
import argparse, asyncio, multiprocessing as mp, random, socket, sys, tempfile, time

sys.dont_write_bytecode = True  # nothing is left beside the scripts
from compare import EVENT, PORT, UP, Engine, chunk, cpu, memory, percentile, prompt, request, start, train

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LARGE = EVENT.replace(b" word", b" word" * 100)
GAP = 4.0
CLIENTS = 3
AT_ONCE = 32


class Steady(Engine):
    """An event every so often; after the first none where the gateway's memory is looked at."""
    quiet = False

    async def stream(self):
        self.transport.write(HEAD + chunk(EVENT))
        while not self.quiet and not self.transport.is_closing():
            await asyncio.sleep(GAP)
            self.transport.write(chunk(EVENT))


class Flood(Engine):
    """As fast as whoever reads allows."""

    def connection_made(self, transport):
        super().connection_made(transport)
        self.may = asyncio.Event()
        self.may.set()

    def pause_writing(self): self.may.clear()

    def resume_writing(self): self.may.set()

    async def stream(self):
        self.transport.write(HEAD)
        while not self.transport.is_closing():
            await self.may.wait()
            self.transport.write(chunk(LARGE) * 8)
            await asyncio.sleep(0.001)


def engine(quiet):
    async def serve():
        Steady.quiet = quiet
        loop = asyncio.get_running_loop()
        for port, kind in zip(UP, (Steady, Flood)):
            await loop.create_server(kind, "127.0.0.1", port, backlog=4096)
        await asyncio.Event().wait()
    asyncio.run(serve())


class Client(asyncio.Protocol):
    """A stream that is read, and how late its events are."""

    def __init__(self, ask, begun, phase, late):
        self.ask, self.begun, self.phase, self.late, self.last = ask, begun, phase, late, None

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(self.ask)

    def data_received(self, data):
        now, events = time.monotonic(), data.count(b"data: ")
        if b'"content":" word"' in data:
            if self.last is not None:
                self.late[self.phase.value].append(max(0.0, now - self.last - GAP * events))
            elif not self.begun.done():
                self.begun.set_result(True)
            self.last = now

    def connection_lost(self, _):
        if not self.begun.done():
            self.begun.set_result(False)


def clients(count, seed, phase, opened, out):
    """Opens streams, tells how many there are, reads them until the last phase is over."""
    draw, late = random.Random(seed), {n: [] for n in range(-1, 3)}
    async def one(loop, room):
        async with room:
            begun = loop.create_future()
            ask = request("small", prompt(draw, 3000), True)
            transport, _ = await loop.create_connection(lambda: Client(ask, begun, phase, late), "127.0.0.1", PORT)
            return transport, await begun
    async def run():
        loop, room = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)
        streams = await asyncio.gather(*(one(loop, room) for _ in range(count)))
        opened.put(sum(ok for _, ok in streams))
        while phase.value >= 0:
            await asyncio.sleep(0.1)
        for transport, _ in streams:
            transport.close()
    asyncio.run(run())
    out.put(late)


class Open:
    """Streams that are open for as long as one is in here."""

    def __init__(self, count):
        self.phase, self.out, opened = mp.Value("i", 0), mp.Queue(), mp.Queue()
        shares = [count // CLIENTS + (n < count % CLIENTS) for n in range(CLIENTS)]
        self.each = [mp.Process(target=clients, args=(share, random.random(), self.phase, opened, self.out)) for share in shares]
        for one in self.each: one.start()
        self.count = sum(opened.get() for _ in self.each)

    def close(self):
        """How late events were, by phase."""
        self.phase.value = -1
        told = [self.out.get() for _ in self.each]
        for one in self.each: one.join()
        return [[late for each in told for late in each[n]] for n in range(3)]


def quiet(pid, count):
    time.sleep(2)
    for turn in ("first", "again"):
        before = memory(pid)
        streams = Open(count)
        time.sleep(2)
        held = memory(pid)
        streams.close()
        time.sleep(3)
        print(f"quiet, {turn}: {streams.count} streams, {before} MiB without and {held} MiB with them, "
              f"{(held - before) * 1024 / max(1, streams.count):.1f} KiB a stream; {memory(pid)} MiB when they have gone", flush=True)


def stalled(pid, count, seconds, rounds):
    streams = Open(count)
    print(f"open: {streams.count} streams, {memory(pid)} MiB", flush=True)
    ask = request("large", "flood", True, 200_000)
    used = {1: 0.0, 2: 0.0}
    for turn in range(2 * rounds):
        stuck = None
        if turn % 2:
            stuck = socket.socket()
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", PORT))
            stuck.sendall(ask)
        time.sleep(2)
        begun, streams.phase.value = cpu(pid), 1 + turn % 2
        time.sleep(seconds)
        streams.phase.value = 0
        used[1 + turn % 2] += (cpu(pid) - begun) / (seconds * rounds)
        if stuck: stuck.close()
    _, without, with_it = streams.close()
    for name, late, at in (("without", without, 1), ("with", with_it, 2)):
        print(f"{name} a client that does not read: {len(late)} events, late by p50 {percentile(late, .5):.1f} ms, "
              f"p99 {percentile(late, .99):.1f} ms, p99.9 {percentile(late, .999):.1f} ms; {used[at]:.2f} cores", flush=True)


def turn(ask, run, is_quiet, work):
    upstream = mp.Process(target=engine, args=(is_quiet,), daemon=True)
    upstream.start()
    gateway = start(ask.sluice, run, {"max_concurrency = 1024": "max_concurrency = 16384"})
    try:
        work(gateway.pid)
    finally:
        gateway.terminate()
        gateway.wait()
        upstream.terminate()
        upstream.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default="target/release/sluice")
    parser.add_argument("--quiet", type=int, default=1500)
    parser.add_argument("--open", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    ask = parser.parse_args()
    with tempfile.TemporaryDirectory() as run:
        train(ask.sluice, run)
        if ask.quiet: turn(ask, run, True, lambda pid: quiet(pid, ask.quiet))
        if ask.open: turn(ask, run, False, lambda pid: stalled(pid, ask.open, ask.seconds, ask.rounds))


if __name__ == "__main__":
    main()
