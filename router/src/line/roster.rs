//! The replicas of a line: who joins and leaves, which of them take work now, and what each looks like.
//!
//! A replica's index is valid until it has been retired and its last seat has ended; then the next that joins gets it.

use super::foreign::{self, Told};
use super::work::InWork;
use super::{Line, LineCounts, Report};
use crate::health::{Condition, Health, Why};
use crate::prefix::PrefixCache;
use crate::time::Tick;

/// One replica, as its line keeps it.
#[derive(Debug, Clone, Default)]
pub(super) struct Replica {
    pub(super) in_flight: u32,
    pub(super) health: Health,
    pub(super) work: InWork,
    pub(super) told: Option<Told>,
    /// Work that it was given lately, in tokens.
    pub(super) sent_tokens: f64,
    /// What its cache probably holds.
    pub(super) prefixes: PrefixCache,
    membership: Membership,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Membership {
    #[default]
    Member,
    /// Ends what it has.
    Retired,
    /// The index is free.
    Vacant,
}

impl Replica {
    /// One that has nothing in work, of whose cache so many blocks will be remembered.
    pub(super) fn new(health: Health, prefix_blocks: usize) -> Replica {
        Replica { health, prefixes: PrefixCache::new(prefix_blocks), ..Replica::default() }
    }

    pub(super) fn is_member(&self) -> bool {
        self.membership == Membership::Member
    }
}

/// What holds for all replicas of a line at an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    /// Nothing is sent: the quota is used up.
    is_cooling: bool,
    /// So many are ejected that ejections are overlooked where that is not hopeless: better a doubtful replica than
    /// all the load on the few that are left.
    is_panicking: bool,
    /// A replica takes its full part, so that others may start slowly.
    is_warm: bool,
    now: Tick,
}

/// Weather, and what is believed of each replica's foreign load.
#[derive(Debug)]
pub(super) struct Outlook {
    pub(super) weather: Weather,
    /// By replica; empty where no engine has told anything.
    foreign: Vec<u32>,
}

impl Outlook {
    /// Load on a replica that isn't ours, as far as its report is believed.
    pub(super) fn foreign(&self, at: usize) -> u32 {
        self.foreign.get(at).copied().unwrap_or(0)
    }
}

impl Weather {
    pub(super) fn now(self) -> Tick {
        self.now
    }

    pub(super) fn takes_work(self, replica: &Replica) -> bool {
        let health = &replica.health;
        let is_usable =
            health.takes_work(self.now) || self.is_panicking && health.may_be_overlooked(self.now);
        replica.is_member() && is_usable && !self.is_cooling
    }

    /// What of `limit` the replica may have now.
    pub(super) fn limit(self, replica: &Replica, limit: u32) -> u32 {
        if self.is_warm { replica.health.part_of(limit, self.now) } else { limit }
    }
}

/// What a replica looks like, for the admin page and the metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplicaReport {
    /// Its index.
    pub replica: usize,
    /// What it does.
    pub condition: Condition,
    /// Why it was ejected, while that still counts.
    pub why: Option<Why>,
    /// Until when it takes no work, where that is known.
    pub until: Option<Tick>,
    /// When its state began.
    pub since: Tick,
    /// How often it was ejected, ever.
    pub ejections: u32,
    /// Requests that it is answering for us.
    pub in_flight: u32,
    /// Requests that it may answer for us now.
    pub limit: u32,
    /// What it has told of its own load, and when.
    pub told: Option<(Report, Tick)>,
    /// Load that isn't ours, as far as that is believed.
    pub foreign: u32,
}

impl<W> Line<W> {
    /// A replica joins, beside others at work slowly. Returns its index.
    pub fn add_replica(&mut self, now: Tick) -> usize {
        let is_first = !self.replicas.iter().any(Replica::is_member);
        let health = if is_first { Health::default() } else { Health::joining(now) };
        let replica = Replica::new(health, self.rules.prefix_blocks());
        let vacant = self.replicas.iter().position(|replica| replica.membership == Membership::Vacant);
        let at = vacant.unwrap_or(self.replicas.len());
        match vacant {
            Some(vacant) => self.replicas[vacant] = replica,
            None => self.replicas.push(replica),
        }
        self.limits.join(at);
        at
    }

    /// A replica leaves: it gets nothing new, and what it has ends in peace. Turns of those who waited may have come.
    pub fn retire_replica(&mut self, replica: usize) {
        self.replicas[replica].membership = Membership::Retired;
        self.vacate(replica);
    }

    /// Whether the index is free to be given away again.
    pub fn is_vacant(&self, replica: usize) -> bool {
        self.replicas[replica].membership == Membership::Vacant
    }

    /// Nothing is sent to this line until then: its quota is used up, by this pool or by another.
    pub fn cool_down(&mut self, until: Tick) {
        self.cooldown.extend(until);
    }

    /// When the quota's pause ends, while it lasts.
    pub fn cools_until(&self, now: Tick) -> Option<Tick> {
        self.cooldown.is_on(now).then(|| self.cooldown.until())
    }

    /// A replica has told of its load.
    pub fn note_report(&mut self, replica: usize, report: Report, now: Tick) {
        let own = self.replicas[replica].in_flight;
        self.replicas[replica].told = Some(Told { report, own, at: now });
    }

    /// Every replica, those that leave included.
    pub fn replica_reports(&self, now: Tick) -> Vec<ReplicaReport> {
        let outlook = self.outlook(now);
        let shown = self.replicas.iter().enumerate();
        let shown = shown.filter(|(_, replica)| replica.membership != Membership::Vacant);
        shown.map(|(at, replica)| self.replica_report(at, replica, &outlook)).collect()
    }

    fn replica_report(&self, at: usize, replica: &Replica, outlook: &Outlook) -> ReplicaReport {
        let weather = outlook.weather;
        let health = &replica.health;
        let condition = match health.condition(weather.now) {
            _ if !replica.is_member() => Condition::Draining,
            Condition::Up | Condition::SlowStart if weather.is_cooling => Condition::Resting,
            condition => condition,
        };
        ReplicaReport {
            replica: at,
            condition,
            why: health.why(),
            until: health.out_until().filter(|until| *until > weather.now),
            since: health.since(),
            ejections: health.ejections(),
            in_flight: replica.in_flight,
            limit: weather.limit(replica, self.limits.of(at)),
            told: replica.told.map(|told| (told.report, told.at)),
            foreign: outlook.foreign(at),
        }
    }

    /// Its replicas by what they do.
    pub(super) fn count_replicas(&self, now: Tick) -> LineCounts {
        let (weather, mut counts) = (self.weather(now), LineCounts::default());
        let shown = self.replicas.iter().enumerate();
        for (at, replica) in shown.filter(|(_, replica)| replica.membership != Membership::Vacant) {
            counts.in_flight += replica.in_flight as usize;
            match replica {
                replica if !replica.is_member() => counts.draining += 1,
                replica if weather.takes_work(replica) => {
                    counts.up += 1;
                    counts.limit += weather.limit(replica, self.limits.of(at)) as usize;
                }
                replica if replica.health.is_up() => counts.resting += 1,
                _ => counts.ejected += 1,
            }
        }
        counts
    }

    pub(super) fn weather(&self, now: Tick) -> Weather {
        let (mut members, mut up, mut is_warm) = (0, 0, false);
        for replica in self.replicas.iter().filter(|replica| replica.is_member()) {
            members += 1;
            up += usize::from(replica.health.is_up());
            is_warm |= replica.health.is_seasoned(now);
        }
        Weather { is_cooling: self.cooldown.is_on(now), is_panicking: 2 * up < members, is_warm, now }
    }

    pub(super) fn outlook(&self, now: Tick) -> Outlook {
        let has_reports = self.replicas.iter().any(|replica| replica.told.is_some());
        let foreign = if has_reports { foreign::believed(&self.replicas, now) } else { Vec::new() };
        Outlook { weather: self.weather(now), foreign }
    }

    /// Frees the index of a replica that has left, once nothing of it is under way.
    pub(super) fn vacate(&mut self, replica: usize) {
        let replica = &mut self.replicas[replica];
        if replica.membership == Membership::Retired && replica.in_flight == 0 {
            *replica = Replica { membership: Membership::Vacant, ..Replica::default() };
        }
    }

    /// Ejects the replica if it fails where the others don't.
    pub(super) fn compare(&mut self, at: usize, now: Tick) -> Option<Why> {
        let others =
            self.replicas.iter().enumerate().filter(|(other, replica)| *other != at && replica.is_member());
        let own = &self.replicas[at].health;
        let stands_out = own.is_up()
            && crate::health::stands_out(own.window(), others.map(|(_, replica)| replica.health.window()));
        if stands_out {
            self.replicas[at].health.eject(Why::FailureShare, now);
        }
        stands_out.then_some(Why::FailureShare)
    }
}
