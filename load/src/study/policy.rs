//! The policies that a study compares: ours, and what gateways do that see less.

use sluice_router::{LimitRule, LineRules, Objective, balancer};
use std::str::FromStr;

/// One policy.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    row: &'static PolicyRow,
    cap: u32,
}

/// One kind of policy.
#[derive(Debug)]
pub struct PolicyRow {
    /// Its name; one with a number is written `cap:48`.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What the route makes least.
    pub objective: Objective,
    /// How the lines before the pools differ from the configuration's; the number is the cap.
    line: fn(&mut LineRules, u32),
    has_cap: bool,
}

/// Every policy. The order is the order in the reference.
pub const POLICIES: &[PolicyRow] = &[
    PolicyRow {
        name: "joint",
        about: "the route as configured: cost, time and risk as one sum",
        objective: Objective::Joint,
        line: |_, _| {},
        has_cap: false,
    },
    PolicyRow {
        name: "price",
        about: "the cheapest expert that keeps the floor, its replicas in turn, whatever waits there",
        objective: Objective::Price,
        line: |line, _| {
            unbounded(line);
            line.balancer = pick("round_robin");
        },
        has_cap: false,
    },
    PolicyRow {
        name: "wait",
        about: "the expert and replica with the shortest wait for a first token, whatever it costs",
        objective: Objective::Wait,
        line: |line, _| {
            unbounded(line);
            line.balancer = pick("least_load");
        },
        has_cap: false,
    },
    PolicyRow {
        name: "cap",
        about: "the cheapest expert with a replica that has less than N requests in work, else the next dearer",
        objective: Objective::Price,
        line: |line, cap| {
            line.limit = LimitRule::Fixed;
            line.max_concurrency = cap;
            line.max_queue = 0;
            line.balancer = pick("least_load");
        },
        has_cap: true,
    },
];

/// Everything goes to the engines at once and waits there.
fn unbounded(line: &mut LineRules) {
    line.limit = LimitRule::Fixed;
    line.max_concurrency = 1_000_000;
}

fn pick(name: &str) -> sluice_router::Balancer {
    balancer(name).expect("it is one of the registry").pick
}

impl Policy {
    /// What the route makes least.
    pub fn objective(&self) -> Objective {
        self.row.objective
    }

    /// The line before a pool under this policy. One that is only known from outside has no room to bound.
    pub fn line(&self, configured: LineRules, is_outside: bool) -> LineRules {
        let mut line = configured;
        (self.row.line)(&mut line, self.cap);
        if is_outside {
            unbounded(&mut line);
        }
        line
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Policy, String> {
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        let wrong = || {
            let form = |row: &PolicyRow| format!("{}{}", row.name, if row.has_cap { ":N" } else { "" });
            format!("{text:?} is none of {}", POLICIES.iter().map(form).collect::<Vec<_>>().join(", "))
        };
        let row = POLICIES.iter().find(|row| row.name == name).ok_or_else(wrong)?;
        let cap = number.map(|number| number.parse::<u32>().map_err(|_| wrong())).transpose()?;
        if row.has_cap != cap.is_some_and(|cap| cap > 0) {
            return Err(wrong());
        }
        Ok(Policy { row, cap: cap.unwrap_or(0) })
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.row.name)?;
        if self.row.has_cap { write!(f, " {}", self.cap) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_mistakes_are_told() {
        assert_eq!("joint".parse::<Policy>().unwrap().to_string(), "joint");
        assert_eq!("cap:48".parse::<Policy>().unwrap().to_string(), "cap 48");
        for wrong in ["cap", "cap:0", "cap:x", "joint:3", "cheap"] {
            assert!(wrong.parse::<Policy>().unwrap_err().contains("joint, price, wait, cap:N"), "{wrong}");
        }
    }
}
