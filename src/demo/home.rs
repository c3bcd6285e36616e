//! The demo's folder: its configuration, its model, its rows and its ledger, left there to be looked at.

use super::source::{Member, Source};
use crate::cmd::Failure;
use anyhow::{Context as _, anyhow};
use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A folder that no other demo uses while this value lives.
pub(crate) struct Home {
    folder: PathBuf,
    _lock: File,
}

impl Home {
    /// `$XDG_STATE_HOME/sluice/demo`; `demo-2` and so on while other demos run.
    pub(crate) fn open() -> Result<Home, Failure> {
        let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
        let fallback = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        let state =
            state.or_else(fallback).ok_or_else(|| anyhow!("neither XDG_STATE_HOME nor HOME is set"))?;
        for n in 1..=MOST_DEMOS {
            let name = if n == 1 { "demo".to_owned() } else { format!("demo-{n}") };
            let folder = state.join("sluice").join(name);
            std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            let lock = File::create(folder.join("lock")).with_context(|| folder.display().to_string())?;
            if lock.try_lock().is_ok() {
                return Ok(Home { folder, _lock: lock });
            }
        }
        Err(anyhow!("{MOST_DEMOS} demos are running already").into())
    }

    /// The configuration's path.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("sluice.toml")
    }

    /// The model's path.
    pub(crate) fn model(&self) -> PathBuf {
        self.folder.join("router.sluice")
    }

    /// The ledger's path.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("sluice.db")
    }

    /// The graded rows that the simulated pools replay: the given files, else the project's own set, written out.
    pub(crate) fn rows(&self, source: &Source) -> Result<Vec<PathBuf>, Failure> {
        if !source.files.is_empty() {
            return Ok(source.files.clone());
        }
        let path = self.folder.join("graded.jsonl");
        let mut text = String::new();
        for row in &source.rows {
            text.push_str(&serde_json::to_string(row)?);
            text.push('\n');
        }
        write(&path, text.as_bytes())?;
        Ok(vec![path])
    }

    /// Writes the configuration that the demo runs by.
    pub(crate) fn write_config(&self, text: &str) -> Result<(), Failure> {
        write(&self.config(), text.as_bytes())
    }

    /// Writes the model.
    pub(crate) fn write_model(&self, bytes: &[u8]) -> Result<(), Failure> {
        write(&self.model(), bytes)
    }
}

/// What the demo's configuration says besides its experts.
pub(crate) struct Settings<'a> {
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) rows: &'a [PathBuf],
    pub(crate) reference: &'a str,
    pub(crate) floor: f64,
    pub(crate) time_scale: f64,
}

/// The demo's `sluice.toml`.
pub(crate) fn config_text(experts: &[Member], settings: &Settings<'_>) -> String {
    let Settings { listen, admin, reference, floor, .. } = settings;
    let mut text = format!(
        "# Written by `sluice demo`. Serve it again: sluice serve --config THIS_FILE\n\
         [server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n\n\
         [router]\nmodel = \"router.sluice\"\n\n\
         [store]\njournal = \"sqlite:sluice.db\"\n\n\
         [[route]]\nname = \"auto\"\nreference = {reference}\nquality_floor = {floor}\nconfidence = {CONFIDENCE}\nlatency_usd_per_s = \"0\"\n",
        reference = quoted(reference),
    );
    for expert in experts {
        // Writing to a string can't fail.
        let _ = write!(text, "\n{}", expert_text(expert, settings));
    }
    text
}

fn expert_text(expert: &Member, settings: &Settings<'_>) -> String {
    let domains: Vec<String> = expert.domains.iter().map(|domain| quoted(domain)).collect();
    let data: Vec<String> = settings.rows.iter().map(|path| quoted(&path.display().to_string())).collect();
    let usd = |nano: i64| sluice_router::NanoUsd(nano).to_string();
    format!(
        "[[expert]]\nname = {name}\nkind = \"{kind}\"\ndomains = [{domains}]\ncontext_tokens = {context}\n\
         price = {{ input_per_mtok = \"{input}\", cached_input_per_mtok = \"{cached}\", \
         cache_write_per_mtok = \"{cache_write}\", per_request = \"{fee}\", output_per_mtok = \"{output}\" }}\n\
         \n  [[expert.pool]]\n  name = {pool}\n  protocol = \"replay\"\n  data = [{data}]\n  profile = \"{profile}\"\n  \
         replicas = {replicas}\n  time_scale = {scale:?}\n  max_concurrency = 128\n  max_queue = 100000\n",
        name = quoted(&expert.name),
        kind = expert.kind,
        pool = quoted(&format!("{}-pool", expert.name)),
        domains = domains.join(", "),
        context = expert.context_tokens,
        input = usd(expert.price.input),
        cached = usd(expert.price.cached_input),
        cache_write = usd(expert.price.cache_write),
        fee = usd(expert.price.per_request),
        output = usd(expert.price.output),
        data = data.join(", "),
        profile = expert.profile,
        replicas = expert.replicas,
        scale = settings.time_scale,
    )
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes)
        .with_context(|| format!("{} can't be written", path.display()))
        .map_err(Failure::from)
}

const MOST_DEMOS: usize = 9;
/// Surer than the usual 0.95, because the demo then judges the promise on a sample whose own noise is as large as the
/// certificate's margin.
const CONFIDENCE: f64 = 0.99;
