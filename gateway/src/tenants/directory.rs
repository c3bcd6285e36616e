//! Every key that is known, ready to be looked up: one version, built whole.

use super::digest::Digest;
use super::identity::{Identity, Level, LevelKind, Policy};
use super::record::KeyRecord;
use crate::config::{KeyConfig, ProjectConfig, TenantConfig};
use std::collections::HashMap;
use std::sync::Arc;

/// Every key that is known.
#[derive(Debug, Default)]
pub(super) struct Directory {
    keys: HashMap<[u8; 16], Known>,
}

/// A key with whose it is.
#[derive(Debug)]
pub(super) struct Known {
    digest: Digest,
    pub(super) identity: Arc<Identity>,
    pub(super) expires_ms: Option<i64>,
}

impl Directory {
    /// The keys of a configuration, and those that were made since. One whose tenant or project is not configured is
    /// nobody's; one that was revoked is none.
    pub(super) fn new(tenants: &[TenantConfig], issued: &[(Digest, KeyRecord)]) -> Directory {
        let mut keys = HashMap::new();
        for (digest, record) in issued.iter().filter(|(_, record)| record.revoked_ms.is_none()) {
            let Some(tenant) = tenants.iter().find(|tenant| tenant.id == record.tenant) else { continue };
            add(&mut keys, tenant, &of_record(*digest, record));
        }
        // Last, so that of a key that stands in both the file's word holds.
        for tenant in tenants {
            tenant.keys.iter().for_each(|key| add(&mut keys, tenant, key));
        }
        Directory { keys }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whose they are.
    pub(super) fn identities(&self) -> Vec<Arc<Identity>> {
        self.keys.values().map(|known| known.identity.clone()).collect()
    }

    /// The key with this digest. Does the same work whether or not there is one: a hash was made of the secret before,
    /// and here one look-up by half of it and one comparison of the whole follow, whatever is found.
    pub(super) fn find(&self, digest: &Digest) -> Option<&Known> {
        let found = self.keys.get(&digest.half());
        let other = Digest::of_nothing();
        let is_same = found.map_or(&other, |known| &known.digest).is_same(digest);
        found.filter(|_| is_same)
    }
}

fn add(keys: &mut HashMap<[u8; 16], Known>, tenant: &TenantConfig, key: &KeyConfig) {
    let project = tenant.projects.iter().find(|project| project.id == key.project);
    if project.is_none() && !key.project.is_empty() {
        return;
    }
    let identity = Arc::new(identity(tenant, project, key));
    keys.insert(key.digest.half(), Known { digest: key.digest, identity, expires_ms: key.expires_ms });
}

fn of_record(digest: Digest, record: &KeyRecord) -> KeyConfig {
    KeyConfig {
        digest,
        id: record.id.clone(),
        project: record.project.clone(),
        owner: record.owner.clone(),
        expires_ms: record.expires_ms,
        routes: record.routes.clone(),
        experts: record.experts.clone(),
        budget: record.budget,
        limits: record.limits,
    }
}

fn identity(tenant: &TenantConfig, project: Option<&ProjectConfig>, key: &KeyConfig) -> Identity {
    let mut levels = vec![Level {
        kind: LevelKind::Tenant,
        id: tenant.id.clone(),
        budget: tenant.budget,
        limits: tenant.limits,
    }];
    let of_project = project.map(|project| Level {
        kind: LevelKind::Project,
        id: format!("{}/{}", tenant.id, project.id),
        budget: project.budget,
        limits: project.limits,
    });
    levels.extend(of_project);
    levels.push(Level {
        kind: LevelKind::Key,
        // Without a project its place stays empty, so that no key can be taken for a project.
        id: format!("{}/{}/{}", tenant.id, key.project, key.id),
        budget: key.budget,
        limits: key.limits,
    });
    let routes =
        [tenant.policy.routes.as_ref(), project.and_then(|it| it.routes.as_ref()), key.routes.as_ref()];
    let experts =
        [tenant.policy.experts.as_ref(), project.and_then(|it| it.experts.as_ref()), key.experts.as_ref()];
    Identity {
        tenant: tenant.id.clone(),
        project: key.project.clone(),
        key: key.id.clone(),
        weight: tenant.weight,
        levels,
        policy: Policy { routes: in_all(routes), experts: in_all(experts), ..tenant.policy.clone() },
    }
}

/// What every list that exists has; `None` when none exists.
fn in_all(lists: [Option<&Vec<String>>; 3]) -> Option<Vec<String>> {
    lists.into_iter().flatten().fold(None, |allowed: Option<Vec<String>>, list| match allowed {
        None => Some(list.clone()),
        Some(allowed) => Some(allowed.into_iter().filter(|name| list.contains(name)).collect()),
    })
}
