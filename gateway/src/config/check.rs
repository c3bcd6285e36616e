//! From what was written to what it means: every rule of the file, all mistakes at once.

mod expert;
mod pool;
mod route;
mod store;
mod tenant;

pub(crate) use pool::is_http_address;

use super::mistake::{ConfigError, Mistakes, did_you_mean, place};
use super::raw::{RawConfig, RawServer};
use super::{Config, Overrides, ServerConfig};
use crate::tenants::Digest;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Checks everything that the types don't say.
pub(super) fn check(
    raw: RawConfig,
    file: &str,
    text: &str,
    folder: &Path,
    environment: &Overrides,
) -> Result<Config, ConfigError> {
    let mut mistakes = Mistakes::default();
    let server = check_server(&raw.server, !raw.tenant.is_empty(), &mut mistakes);
    let experts = expert::check_experts(&raw.expert, &mut mistakes);
    let pools = pool::check_pools(&raw.expert, folder, environment, &mut mistakes);
    let routes = route::check_routes(&raw, &|key| place(file, text, key), &mut mistakes);
    let tenants = tenant::check_tenants(&raw, &mut mistakes);
    check_names(&raw, &mut mistakes);
    if !(0.0..=0.5).contains(&raw.router.explore) {
        mistakes.note("router.explore", "must be between 0 and 0.5");
    }
    let journal = check_journal(&raw.store.journal, folder, &mut mistakes);
    let store = store::check_store(&raw.store, &mut mistakes);
    mistakes.end(file, text)?;
    Ok(Config {
        server: server.expect("no mistakes were noted"),
        aliases: raw.aliases,
        model: raw.router.model.map(|model| folder.join(model)),
        explore: raw.router.explore,
        journal,
        store,
        experts,
        pools,
        routes,
        tenants,
    })
}

fn check_server(raw: &RawServer, has_keys: bool, mistakes: &mut Mistakes) -> Option<ServerConfig> {
    let mut address = |key: &str, text: &str| {
        let parsed = text.parse::<SocketAddr>();
        let told = |_| format!("{text:?} is not an address with a port, such as \"127.0.0.1:8080\"");
        mistakes.take(key, parsed.map_err(told))
    };
    let listen = address("server.listen", &raw.listen);
    let admin_listen = address("server.admin_listen", &raw.admin_listen);
    let admin_key = raw.admin_key_sha256.as_deref().map(Digest::from_hex).transpose();
    let admin_key = mistakes.take("server.admin_key_sha256", admin_key).flatten();
    if raw.max_body_bytes < 1_024 {
        mistakes.note("server.max_body_bytes", "must be at least 1024");
    }
    let listen = listen?;
    if !listen.ip().is_loopback() && !raw.open && !has_keys {
        mistakes.note(
            "server.listen",
            format!("{listen} can be reached from outside and no keys are configured; add a [[tenant]], listen on 127.0.0.1, or set open = true under [server]"),
        );
    }
    let drain = Duration::from_millis(raw.drain_ms);
    Some(ServerConfig {
        listen,
        admin_listen: admin_listen?,
        admin_key,
        max_body_bytes: raw.max_body_bytes,
        drain,
    })
}

/// Names that clients may ask for are unique, and aliases lead somewhere.
fn check_names(raw: &RawConfig, mistakes: &mut Mistakes) {
    let mut seen = BTreeSet::from(["auto"]);
    let routes = raw.route.iter().enumerate().map(|(at, route)| (format!("route[{at}].name"), &route.name));
    let experts =
        raw.expert.iter().enumerate().map(|(at, expert)| (format!("expert[{at}].name"), &expert.name));
    let mut auto_seen = false;
    for (key, name) in routes.chain(experts) {
        let is_first_auto = name == "auto" && key.starts_with("route") && !auto_seen;
        auto_seen |= is_first_auto;
        if !is_first_auto && !seen.insert(name) {
            mistakes.note(key, format!("{name:?} is the name of another route or expert too"));
        }
    }
    for (alias, target) in &raw.aliases {
        if seen.contains(alias.as_str()) {
            mistakes.note(format!("aliases.{alias}"), "is the name of a route or expert too");
        }
        if !seen.contains(target.as_str()) {
            let near = did_you_mean(target, seen.iter().copied());
            mistakes
                .note(format!("aliases.{alias}"), format!("no route or expert is named {target:?}{near}"));
        }
    }
    let mut pools = BTreeSet::new();
    for (expert, raw_expert) in raw.expert.iter().enumerate() {
        for (at, pool) in raw_expert.pool.iter().enumerate() {
            if pool.name.is_empty() || !pools.insert(&pool.name) {
                let key = format!("expert[{expert}].pool[{at}].name");
                mistakes.note(key, format!("{:?} must be unique and not empty", pool.name));
            }
        }
    }
}

/// The address with its path made absolute against the file's folder.
fn check_journal(url: &str, folder: &Path, mistakes: &mut Mistakes) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => format!("sqlite:{}", folder.join(path).display()),
        _ if url == "memory:" => url.to_owned(),
        _ => {
            mistakes.note("store.journal", format!("{url:?} is not an address such as \"sqlite:sluice.db\""));
            String::new()
        }
    }
}
