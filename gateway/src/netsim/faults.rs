//! What goes wrong, drawn from the seed: on the wires, on the hosts, in the engines.

use super::random::Random;
use super::script::Mood;
use std::time::Duration;
use turmoil::Sim;

/// One thing that goes wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) at: Target,
    pub(super) from: Duration,
    pub(super) until: Duration,
}

/// Whose wire to the gateway, or which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Engine(usize),
    Client(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every message is lost; TCP here has no second try, so the connections are dead without knowing it.
    Partition,
    /// The same, only from the target to the gateway.
    OneWay,
    /// A black hole: messages arrive when it ends.
    Hold,
    /// Each message takes so many milliseconds.
    Latency(u64),
    /// So many messages of a thousand are lost, with all that is under way.
    Loss(u64),
    /// The process dies and comes back.
    Crash,
    /// The engine behaves so.
    Mood(Mood),
}

impl Kind {
    /// Whether messages are lost for good.
    pub(super) fn loses(self) -> bool {
        matches!(self, Kind::Partition | Kind::OneWay | Kind::Loss(_))
    }

    /// Whether messages may come late or never.
    pub(super) fn disturbs(self) -> bool {
        self.loses() || matches!(self, Kind::Hold | Kind::Latency(_))
    }
}

impl Target {
    /// The host's name.
    pub(super) fn host(self) -> String {
        match self {
            Target::Engine(at) => format!("engine-{at}"),
            Target::Client(at) => format!("client-{at}"),
        }
    }
}

/// What goes wrong until `until`, when all of it is over. No target has two faults at a time.
pub(super) fn draw(seed: u64, engines: usize, clients: usize, until: Duration) -> Vec<Fault> {
    let mut random = Random::new(seed, "faults");
    let last = u64::try_from(until.as_millis()).expect("short");
    let mut faults: Vec<Fault> = Vec::new();
    for _ in 0..random.between(3, 12) {
        let at = match random.percent(80) {
            true => Target::Engine(random.between(0, engines as u64) as usize),
            false => Target::Client(random.between(0, clients as u64) as usize),
        };
        let from = random.between(200, last - 200);
        let ends = (from + random.between(200, 5_000)).min(last);
        let kind = kind(&mut random, at);
        let fault = Fault { kind, at, from: Duration::from_millis(from), until: Duration::from_millis(ends) };
        if !faults
            .iter()
            .any(|other| other.at == at && other.from <= fault.until && fault.from <= other.until)
        {
            faults.push(fault);
        }
    }
    faults.sort_by_key(|fault| fault.from);
    faults
}

fn kind(random: &mut Random, at: Target) -> Kind {
    let latency = Kind::Latency(random.between(30, 400));
    let loss = Kind::Loss(random.between(5, 50));
    let wire = [Kind::Partition, Kind::OneWay, Kind::Hold, latency, loss];
    let moods = [
        Mood::Storm,
        Mood::Busy,
        Mood::SlowStart,
        Mood::Stalls,
        Mood::Truncates,
        Mood::Breaks,
        Mood::Garbage,
    ];
    match at {
        Target::Client(_) => random.pick(&wire),
        Target::Engine(_) if random.percent(45) => random.pick(&wire),
        Target::Engine(_) if random.percent(30) => Kind::Crash,
        Target::Engine(_) => Kind::Mood(random.pick(&moods)),
    }
}

/// The usual latency of every wire.
pub(super) const LATENCY: Duration = Duration::from_millis(2);

const GATEWAY: &str = "gateway";

/// Makes it go wrong; moods are not the network's business.
pub(super) fn begin(sim: &mut Sim<'_>, fault: Fault) {
    let host = fault.at.host();
    match fault.kind {
        Kind::Partition => sim.partition(GATEWAY, host),
        Kind::OneWay => sim.partition_oneway(host, GATEWAY),
        Kind::Hold => sim.hold(GATEWAY, host),
        Kind::Latency(ms) => sim.set_link_latency(GATEWAY, host, Duration::from_millis(ms)),
        Kind::Loss(of_thousand) => sim.set_link_fail_rate(GATEWAY, host, of_thousand as f64 / 1_000.0),
        Kind::Crash => sim.crash(host),
        Kind::Mood(_) => {}
    }
}

/// Ends it.
pub(super) fn end(sim: &mut Sim<'_>, fault: Fault) {
    let host = fault.at.host();
    match fault.kind {
        Kind::Partition => sim.repair(GATEWAY, host),
        Kind::OneWay => sim.repair_oneway(host, GATEWAY),
        Kind::Hold => sim.release(GATEWAY, host),
        Kind::Latency(_) => sim.set_link_latency(GATEWAY, host, LATENCY),
        Kind::Loss(_) => {
            sim.set_link_fail_rate(GATEWAY, host.as_str(), 0.0);
            sim.repair(GATEWAY, host);
        }
        Kind::Crash => sim.bounce(host),
        Kind::Mood(_) => {}
    }
}
