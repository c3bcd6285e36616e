//! Keys over the admin port: only for whoever has the admin key, and every change is told.

use super::digest::Digest;
use super::expiry::expiry_ms;
use super::issue::{check_record, create_key, list_keys, new_key_id, revoke_key};
use super::record::KeyRecord;
use super::{Budget, Limits};
use crate::app::App;
use crate::config::{RawBudget, RawLimits};
use crate::error::{Fault, FaultCode};
use crate::machine::random_bytes;
use crate::observe::Event;
use crate::store::StoreError;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_router::NanoUsd;

/// What somebody asks of the admin port.
#[derive(Debug, Clone, PartialEq)]
pub enum AdminAsk {
    /// Every key that was made while gateways ran.
    List,
    /// A new key, as the JSON that describes it.
    Create(Vec<u8>),
    /// The end of the key with this id.
    Revoke(String),
}

impl AdminAsk {
    fn name(&self) -> &'static str {
        match self {
            AdminAsk::List => "list",
            AdminAsk::Create(_) => "create",
            AdminAsk::Revoke(_) => "revoke",
        }
    }
}

/// A key as it is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    tenant: String,
    id: Option<String>,
    #[serde(default)]
    project: String,
    #[serde(default)]
    owner: String,
    expires: Option<String>,
    routes: Option<Vec<String>>,
    experts: Option<Vec<String>>,
    budget: Option<RawBudget>,
    #[serde(default)]
    limits: RawLimits,
}

/// Does what was asked, if the key allows it.
///
/// # Errors
/// [`FaultCode::InvalidApiKey`] without the admin key; what is wrong with the wish; or a place that is away.
pub(crate) async fn admin(app: &App, key: Option<String>, ask: AdminAsk) -> Result<Value, Fault> {
    let what = ask.name();
    let told = |key: &str, tenant: &str, outcome: &str| {
        app.observe.emit(Event::Admin { what, key, tenant, outcome });
    };
    if let Err(fault) = authorise(app.admin_key.as_ref(), key.as_deref()) {
        told("", "", "refused");
        return Err(fault);
    }
    match ask {
        AdminAsk::List => {
            let keys = list_keys(&*app.shared).await.map_err(away)?;
            let keys: Vec<Value> = keys.iter().map(|record| shown(app, record)).collect();
            Ok(json!({ "keys": keys }))
        }
        AdminAsk::Create(body) => {
            let record = wanted(app, &body)?;
            let random =
                random_bytes().map_err(|error| Fault::new(FaultCode::Internal, error.to_string()))?;
            let secret = create_key(&*app.shared, random, &record).await.map_err(away)?;
            told(&record.id, &record.tenant, "done");
            let mut value = shown(app, &record);
            value["key"] = secret.reveal().into();
            Ok(value)
        }
        AdminAsk::Revoke(id) => {
            let revoked = revoke_key(&*app.shared, &id, app.clock.unix_ms()).await.map_err(away)?;
            let record =
                revoked.ok_or_else(|| Fault::invalid("id", "no key that was made here has this id"))?;
            told(&record.id, &record.tenant, "done");
            Ok(shown(app, &record))
        }
    }
}

/// Denies by default: where no admin key is configured nobody has one.
fn authorise(wanted: Option<&Digest>, key: Option<&str>) -> Result<(), Fault> {
    let digest = Digest::of(key.unwrap_or_default());
    match wanted {
        None => {
            let what = "no admin key is configured; set server.admin_key_sha256 to the hash of one";
            Err(Fault::new(FaultCode::InvalidApiKey, what))
        }
        Some(wanted) if wanted.is_same(&digest) => Ok(()),
        Some(_) => {
            let what = "this needs the admin key, as \"authorization: Bearer KEY\"";
            Err(Fault::new(FaultCode::InvalidApiKey, what))
        }
    }
}

fn wanted(app: &App, body: &[u8]) -> Result<KeyRecord, Fault> {
    let wrong = |what: String| Fault::invalid("body", what);
    let new: NewKey =
        serde_json::from_slice(body).map_err(|error| wrong(format!("the body is no key: {error}")))?;
    let budget = new.budget.as_ref().map(|budget| {
        let amount = NanoUsd::from_usd(&budget.usd).map_err(|error| wrong(format!("budget.usd: {error}")))?;
        Ok::<Budget, Fault>(Budget { amount, period: budget.period.into() })
    });
    let random = random_bytes().map_err(|error| Fault::new(FaultCode::Internal, error.to_string()))?;
    let RawLimits { requests_per_min, tokens_per_min, concurrent } = new.limits;
    let record = KeyRecord {
        id: new.id.unwrap_or_else(|| new_key_id(&random)),
        tenant: new.tenant,
        project: new.project,
        owner: new.owner,
        created_ms: app.clock.unix_ms(),
        expires_ms: new.expires.as_deref().map(expiry_ms).transpose().map_err(wrong)?,
        routes: new.routes,
        experts: new.experts,
        budget: budget.transpose()?,
        limits: Limits { requests_per_min, tokens_per_min, concurrent },
        revoked_ms: None,
    };
    let live = app.live();
    let snapshot = &live.rules.snapshot;
    let routes = snapshot.routes.iter().filter(|route| !route.pinned).map(|route| route.name.as_str());
    let experts = snapshot.fleet.experts.iter().map(|expert| expert.name.as_str());
    let (routes, experts): (Vec<&str>, Vec<&str>) = (routes.collect(), experts.collect());
    app.keys.with_tenants(|tenants| check_record(tenants, &routes, &experts, &record)).map_err(wrong)?;
    Ok(record)
}

fn shown(app: &App, record: &KeyRecord) -> Value {
    let mut value = serde_json::to_value(record).expect("a record is plain data");
    value["state"] = record.state(app.clock.unix_ms()).name().into();
    value
}

fn away(error: StoreError) -> Fault {
    Fault::passing(FaultCode::NoCapacity, 1_000, format!("the keys can't be changed now: {}", error.0))
}
