//! The rules of `[[tenant]]`.

use super::super::mistake::{Mistakes, did_you_mean};
use super::super::raw::{
    RawBudget, RawConfig, RawKey, RawLimits, RawPeriod, RawPrivacy, RawProject, RawTenant,
};
use super::super::tenant::{KeyConfig, ProjectConfig, TenantConfig};
use crate::tenants::{Budget, Digest, Limits, Policy, expiry_ms, is_id};
use sluice_router::{NanoUsd, Period, Privacy};
use std::collections::BTreeSet;

/// Every tenant with its projects and keys.
pub(super) fn check_tenants(raw: &RawConfig, mistakes: &mut Mistakes) -> Vec<TenantConfig> {
    let mut check =
        Check { raw, mistakes, tenants: BTreeSet::new(), keys: BTreeSet::new(), digests: BTreeSet::new() };
    raw.tenant
        .iter()
        .enumerate()
        .filter_map(|(at, tenant)| check.tenant(&format!("tenant[{at}]"), tenant))
        .collect()
}

/// What has been seen so far.
struct Check<'a> {
    raw: &'a RawConfig,
    mistakes: &'a mut Mistakes,
    tenants: BTreeSet<&'a str>,
    keys: BTreeSet<String>,
    digests: BTreeSet<Digest>,
}

impl<'a> Check<'a> {
    fn tenant(&mut self, at: &str, tenant: &'a RawTenant) -> Option<TenantConfig> {
        self.id(&format!("{at}.id"), &tenant.id);
        if !self.tenants.insert(&tenant.id) {
            self.mistakes
                .note(format!("{at}.id"), format!("{:?} is the id of another tenant too", tenant.id));
        }
        if !(1..=MOST_WEIGHT).contains(&tenant.weight) {
            self.mistakes.note(format!("{at}.weight"), format!("must be between 1 and {MOST_WEIGHT}"));
        }
        let regions = self.raw.expert.iter().filter_map(|expert| expert.region.as_deref());
        let regions: BTreeSet<&str> = regions.collect();
        self.known(&format!("{at}.residency"), "no expert runs in", &tenant.residency, &regions);
        let projects = self.projects(at, tenant);
        let keys = tenant.keys.iter().enumerate();
        let keys = keys.filter_map(|(n, key)| self.key(&format!("{at}.keys[{n}]"), key, tenant)).collect();
        Some(TenantConfig {
            id: tenant.id.clone(),
            name: tenant.name.clone().unwrap_or_else(|| tenant.id.clone()),
            weight: tenant.weight,
            budget: self.budget(at, tenant.budget.as_ref()),
            limits: self.limits(at, tenant.limits),
            policy: Policy {
                routes: self.routes(at, tenant.routes.as_ref()),
                experts: self.experts(at, tenant.experts.as_ref()),
                residency: tenant.residency.clone(),
                privacy: privacy(tenant.privacy),
                domain: tenant.domain.clone(),
            },
            projects,
            keys,
        })
    }

    fn projects(&mut self, at: &str, tenant: &RawTenant) -> Vec<ProjectConfig> {
        let mut seen = BTreeSet::new();
        let projects = tenant.project.iter().enumerate().map(|(n, project)| {
            let at = format!("{at}.project[{n}]");
            if !seen.insert(&project.id) {
                let what = format!("{:?} is the id of another project of the tenant too", project.id);
                self.mistakes.note(format!("{at}.id"), what);
            }
            self.project(&at, project)
        });
        projects.collect()
    }

    fn project(&mut self, at: &str, project: &RawProject) -> ProjectConfig {
        self.id(&format!("{at}.id"), &project.id);
        ProjectConfig {
            id: project.id.clone(),
            budget: self.budget(at, project.budget.as_ref()),
            limits: self.limits(at, project.limits),
            routes: self.routes(at, project.routes.as_ref()),
            experts: self.experts(at, project.experts.as_ref()),
        }
    }

    fn key(&mut self, at: &str, key: &RawKey, tenant: &RawTenant) -> Option<KeyConfig> {
        let digest = self.mistakes.take(&format!("{at}.sha256"), Digest::from_hex(&key.sha256))?;
        if !self.digests.insert(digest) {
            self.mistakes.note(format!("{at}.sha256"), "is the hash of another key too");
            return None;
        }
        let id = key.id.clone().unwrap_or_else(|| digest.short());
        self.id(&format!("{at}.id"), &id);
        if !self.keys.insert(id.clone()) {
            self.mistakes.note(format!("{at}.id"), format!("{id:?} is the id of another key too"));
        }
        let project = key.project.clone().unwrap_or_default();
        let projects: BTreeSet<&str> = tenant.project.iter().map(|project| project.id.as_str()).collect();
        if key.project.is_some() && !projects.contains(project.as_str()) {
            let near = did_you_mean(&project, projects.into_iter());
            let what = format!("the tenant has no [[tenant.project]] {project:?}{near}");
            self.mistakes.note(format!("{at}.project"), what);
        }
        let expires = key.expires.as_deref().map(expiry_ms).transpose();
        Some(KeyConfig {
            digest,
            id,
            project,
            owner: key.owner.clone().unwrap_or_default(),
            expires_ms: self.mistakes.take(&format!("{at}.expires"), expires).flatten(),
            routes: self.routes(at, key.routes.as_ref()),
            experts: self.experts(at, key.experts.as_ref()),
            budget: self.budget(at, key.budget.as_ref()),
            limits: self.limits(at, key.limits),
        })
    }

    fn id(&mut self, key: &str, id: &str) {
        if !is_id(id) {
            self.mistakes.note(key, format!("{id:?} must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"));
        }
    }

    fn budget(&mut self, at: &str, budget: Option<&RawBudget>) -> Option<Budget> {
        let budget = budget?;
        let key = format!("{at}.budget.usd");
        let amount = self.mistakes.take(&key, NanoUsd::from_usd(&budget.usd))?;
        if amount.0 < 0 {
            self.mistakes.note(key, "must not be negative");
        }
        Some(Budget { amount, period: budget.period.into() })
    }

    fn limits(&mut self, at: &str, limits: RawLimits) -> Limits {
        let RawLimits { requests_per_min, tokens_per_min, concurrent } = limits;
        let values = [
            ("requests_per_min", requests_per_min),
            ("tokens_per_min", tokens_per_min),
            ("concurrent", concurrent.map(u64::from)),
        ];
        for (name, value) in values {
            if value.is_some_and(|value| !(1..=MOST_PER_MIN).contains(&value)) {
                let what = format!("must be between 1 and {MOST_PER_MIN}; leave it out for no limit");
                self.mistakes.note(format!("{at}.limits.{name}"), what);
            }
        }
        Limits { requests_per_min, tokens_per_min, concurrent }
    }

    /// Routes by their names.
    fn routes(&mut self, at: &str, names: Option<&Vec<String>>) -> Option<Vec<String>> {
        let routes = self.raw.route.iter().map(|route| route.name.as_str());
        let routes: BTreeSet<&str> = routes.chain(["auto"]).collect();
        self.allowed(&format!("{at}.routes"), "no route is named", names, &routes)
    }

    fn experts(&mut self, at: &str, names: Option<&Vec<String>>) -> Option<Vec<String>> {
        let experts: BTreeSet<&str> = self.raw.expert.iter().map(|expert| expert.name.as_str()).collect();
        self.allowed(&format!("{at}.experts"), "no expert is named", names, &experts)
    }

    fn allowed(
        &mut self,
        key: &str,
        none: &str,
        names: Option<&Vec<String>>,
        known: &BTreeSet<&str>,
    ) -> Option<Vec<String>> {
        let names = names?;
        if names.is_empty() {
            self.mistakes.note(key, "allows nothing; name at least one, or leave it out to allow all");
        }
        self.known(key, none, names, known);
        Some(names.clone())
    }

    fn known(&mut self, key: &str, none: &str, names: &[String], known: &BTreeSet<&str>) {
        for (at, name) in names.iter().enumerate() {
            if !known.contains(name.as_str()) {
                let near = did_you_mean(name, known.iter().copied());
                self.mistakes.note(format!("{key}[{at}]"), format!("{none} {name:?}{near}"));
            }
        }
    }
}

impl From<RawPeriod> for Period {
    fn from(raw: RawPeriod) -> Period {
        match raw {
            RawPeriod::Day => Period::Day,
            RawPeriod::Week => Period::Week,
            RawPeriod::Month => Period::Month,
            RawPeriod::Ever => Period::Ever,
        }
    }
}

fn privacy(raw: RawPrivacy) -> Privacy {
    match raw {
        RawPrivacy::Public => Privacy::Public,
        RawPrivacy::Private => Privacy::Private,
        RawPrivacy::Device => Privacy::Device,
    }
}

/// Beyond this, others would as good as never have a turn.
const MOST_WEIGHT: u32 = 1_000;
/// Nothing does more, and sums of it stay exact.
const MOST_PER_MIN: u64 = 1_000_000_000_000;
