//! The fitted model: bytes to checked, versioned numbers; never changed in place.

use crate::codec::{Reader, Writer};
use crate::lexicon::Lexicon;
use crate::panel::{Panel, PanelParts, read_table, write_table};
use crate::prompt::FEATURES_VERSION;
use crate::scope::Scope;
use crate::weights::Weights;
use sha2::{Digest as _, Sha256};

/// A fitted router model.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    pub(crate) parts: ParamsParts,
    pub(crate) panels: Vec<Panel>,
    version: String,
}

/// Everything that a model is made of, but for the panels that [`Params::new`] takes beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamsParts {
    /// Names of all experts.
    pub experts: Vec<String>,
    /// Names of all domains.
    pub domains: Vec<String>,
    /// N-grams that the gate knows.
    pub lexicon: Lexicon,
    /// N-gram weights; the first outputs score the domains, the next "none of these" if there is a scope, the next the
    /// panels if there are several.
    pub weights: Weights,
    /// Share of each output among the training rows.
    pub shares: Vec<f32>,
    /// Sharpness of the domain posterior.
    pub domain_sharpness: f32,
    /// Sharpness of the panel posterior.
    pub panel_sharpness: f32,
    /// The day it was trained, in days since 1970-01-01 UTC; 0 when not known.
    pub made_on: u32,
    /// What is in none of the domains; `None` for a model that doesn't tell.
    pub scope: Option<Scope>,
}

/// Which of a fleet's experts the model knows, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// For each expert of the fleet, where its predictions stand: (panel, column).
    pub(crate) places: Vec<Vec<(usize, usize)>>,
}

impl Binding {
    /// How many experts the fleet has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True for a fleet without experts.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether the model knows the fleet's expert with this index.
    pub fn knows(&self, expert: usize) -> bool {
        self.places.get(expert).is_some_and(|places| !places.is_empty())
    }
}

/// Why a file is no usable model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// It doesn't start like one.
    #[error("this is not a router model; make one with `sluice train`")]
    Foreign,
    /// Another version of Sluice made it.
    #[error(
        "the model has format {found} and features {features}, this version reads format {FORMAT} and features \
             {FEATURES_VERSION}; run `sluice train` again with this version"
    )]
    Version {
        /// Its format.
        found: u32,
        /// Its features.
        features: u32,
    },
    /// Its bytes are not those that were written.
    #[error("the model file is damaged ({0}); copy it anew or run `sluice train` again")]
    Damaged(&'static str),
    /// Its bytes are as written, but make no model.
    #[error("the model can't be used: {0}; run `sluice train` again")]
    Invalid(&'static str),
}

impl Params {
    /// Checks the parts and seals them into a model.
    ///
    /// # Errors
    /// [`ParamsError::Invalid`] when sizes don't agree or a number is not finite.
    pub fn new(parts: ParamsParts, panels: Vec<PanelParts>) -> Result<Params, ParamsError> {
        // Through the bytes: what is made is what will be read.
        Params::from_bytes(&seal(&encode(&parts, &panels)))
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// [`ParamsError`] for anything but an undamaged file of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Params, ParamsError> {
        let payload = unseal(bytes)?;
        let mut reader = Reader(payload);
        let parts = read_parts(&mut reader)?;
        let count = reader.u32()? as usize;
        if count == 0 || count > MOST_PANELS {
            return Err(ParamsError::Invalid("it has no panel or too many"));
        }
        let panels = (0..count)
            .map(|_| Panel::check(PanelParts::read(&mut reader)?, parts.experts.len(), parts.domains.len()))
            .collect::<Result<Vec<_>, _>>()?;
        if !reader.0.is_empty() {
            return Err(ParamsError::Invalid("it has bytes left over"));
        }
        check_parts(&parts, panels.len())?;
        Ok(Params { parts, panels, version: hex(&Sha256::digest(bytes)) })
    }

    /// The model as a file: magic, versions, length, numbers, checksum. The same model gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let panels: Vec<&PanelParts> = self.panels.iter().map(|panel| &panel.parts).collect();
        seal(&encode(&self.parts, &panels))
    }

    /// SHA-256 of the model file, hex.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Names of the experts that the model knows.
    pub fn experts(&self) -> &[String] {
        &self.parts.experts
    }

    /// Names of the domains that the model tells apart; empty if its data named none.
    pub fn domains(&self) -> &[String] {
        &self.parts.domains
    }

    /// The day it was trained, in days since 1970-01-01 UTC; `None` when not known.
    pub fn made_on(&self) -> Option<u32> {
        Some(self.parts.made_on).filter(|&day| day > 0)
    }

    /// The same model, said to be trained on this day (days since 1970-01-01 UTC). Its version changes.
    ///
    /// # Errors
    /// None that can be met: the parts have been checked.
    pub fn dated(self, day: u32) -> Result<Params, ParamsError> {
        let parts = ParamsParts { made_on: day, ..self.parts };
        Params::new(parts, self.panels.into_iter().map(|panel| panel.parts).collect())
    }

    /// What the model is made of, to make another from it.
    pub fn into_parts(self) -> (ParamsParts, Vec<PanelParts>) {
        (self.parts, self.panels.into_iter().map(|panel| panel.parts).collect())
    }

    /// The panels, each with its calibration rows.
    pub fn panels(&self) -> impl Iterator<Item = &PanelParts> {
        self.panels.iter().map(|panel| &panel.parts)
    }

    /// How many graded rows the model keeps.
    pub fn rows(&self) -> usize {
        self.panels().map(|panel| panel.calibration.len()).sum()
    }

    /// Whether the model was trained on this prompt.
    pub fn has_seen(&self) -> impl Fn(&str) -> bool {
        let mut seen: Vec<u64> = self.panels().flat_map(|panel| panel.calibration.prompts.clone()).collect();
        seen.sort_unstable();
        move |prompt| seen.binary_search(&prompt_hash(prompt)).is_ok()
    }

    /// Finds the experts of a fleet, given by name in the fleet's order, as experts to choose among.
    ///
    /// Where a single panel grades all of them that the model knows, it alone predicts: they are then compared on the
    /// same grounds, and certificates count with the same predictions. Else each is predicted by all panels that know
    /// it, as far as the prompt looks like theirs.
    pub fn bind(&self, fleet: &[&str]) -> Binding {
        let mut binding = self.bind_mixed(fleet);
        let known: Vec<u32> = fleet.iter().filter_map(|name| self.expert(name)).collect();
        if let Some(alone) = self.alone(&known) {
            binding.places.iter_mut().for_each(|places| places.retain(|(panel, _)| *panel == alone));
        }
        binding
    }

    /// The same for some of a fleet's experts, given as indices into it; the others are left unknown.
    pub fn bind_some(&self, fleet: &[&str], some: &[usize]) -> Binding {
        let chosen: Vec<&str> =
            fleet.iter().enumerate().map(|(at, name)| if some.contains(&at) { *name } else { "" }).collect();
        self.bind(&chosen)
    }

    /// Finds experts, each to be predicted by all panels that know it.
    pub fn bind_mixed(&self, fleet: &[&str]) -> Binding {
        let places = fleet.iter().map(|name| self.expert(name).map_or(vec![], |expert| self.places(expert)));
        Binding { places: places.collect() }
    }

    /// The panel that grades all of these experts, if there is exactly one.
    pub(crate) fn alone(&self, experts: &[u32]) -> Option<usize> {
        let holds =
            |panel: &Panel| experts.iter().all(|expert| panel.parts.experts.binary_search(expert).is_ok());
        let mut found = self.panels.iter().enumerate().filter(|(_, panel)| holds(panel)).map(|(at, _)| at);
        found.next().filter(|_| found.next().is_none())
    }

    /// The index of the expert with this name.
    pub(crate) fn expert(&self, name: &str) -> Option<u32> {
        let at = self.parts.experts.iter().position(|known| known == name);
        at.map(|at| u32::try_from(at).expect("few experts"))
    }

    fn places(&self, expert: u32) -> Vec<(usize, usize)> {
        let column = |panel: &Panel| panel.parts.experts.binary_search(&expert).ok();
        self.panels
            .iter()
            .enumerate()
            .filter_map(|(at, panel)| column(panel).map(|column| (at, column)))
            .collect()
    }
}

/// A hash of a prompt by which rows that a model has seen are recognised; no text can be had back from it.
pub fn prompt_hash(prompt: &str) -> u64 {
    let digest = Sha256::digest(prompt.as_bytes());
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

fn encode(parts: &ParamsParts, panels: &[impl std::borrow::Borrow<PanelParts>]) -> Vec<u8> {
    let mut out = Writer::default();
    out.texts(&parts.experts);
    out.texts(&parts.domains);
    write_table(&mut out, &parts.lexicon, &parts.weights);
    out.f32s(&parts.shares);
    out.f32(parts.domain_sharpness);
    out.f32(parts.panel_sharpness);
    out.u32(parts.made_on);
    out.u32(u32::from(parts.scope.is_some()));
    parts.scope.iter().for_each(|scope| scope.write(&mut out));
    out.u32(u32::try_from(panels.len()).expect("few panels"));
    panels.iter().for_each(|panel| panel.borrow().write(&mut out));
    out.0
}

fn read_parts(from: &mut Reader) -> Result<ParamsParts, ParamsError> {
    let (experts, domains) = (from.texts()?, from.texts()?);
    let (lexicon, weights) = read_table(from)?;
    Ok(ParamsParts {
        experts,
        domains,
        lexicon,
        weights,
        shares: from.f32s()?,
        domain_sharpness: from.f32()?,
        panel_sharpness: from.f32()?,
        made_on: from.u32()?,
        scope: if from.u32()? == 0 { None } else { Some(Scope::read(from)?) },
    })
}

fn check_parts(parts: &ParamsParts, panels: usize) -> Result<(), ParamsError> {
    let has_scope = usize::from(parts.scope.is_some());
    let outputs = parts.domains.len() + has_scope + if panels > 1 { panels } else { 0 };
    if parts.weights.outputs != outputs || parts.shares.len() != outputs {
        return Err(ParamsError::Invalid("the sizes of the gate don't agree"));
    }
    if parts.scope.as_ref().is_some_and(|scope| scope.thresholds.len() != parts.domains.len()) {
        return Err(ParamsError::Invalid("it has not one lock threshold for each domain"));
    }
    let mut names: Vec<&String> = parts.experts.iter().collect();
    names.sort();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ParamsError::Invalid("two experts have the same name"));
    }
    Ok(())
}

fn seal(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len() + CHECKSUM);
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(FEATURES_VERSION.to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(payload);
    let checksum = Sha256::digest(&bytes);
    bytes.extend(checksum);
    bytes
}

fn unseal(bytes: &[u8]) -> Result<&[u8], ParamsError> {
    if !bytes.starts_with(MAGIC) {
        return Err(ParamsError::Foreign);
    }
    if bytes.len() < HEADER + CHECKSUM {
        return Err(ParamsError::Damaged("it ends too early"));
    }
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (found, features) = (number(MAGIC.len()), number(MAGIC.len() + 4));
    if (found, features) != (FORMAT, FEATURES_VERSION) {
        return Err(ParamsError::Version { found, features });
    }
    let (sealed, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    let length = u64::from_le_bytes(bytes[HEADER - 8..HEADER].try_into().expect("eight bytes"));
    if length != (sealed.len() - HEADER) as u64 {
        return Err(ParamsError::Damaged("its length is not the one it was written with"));
    }
    if Sha256::digest(sealed)[..] != *checksum {
        return Err(ParamsError::Damaged("its checksum doesn't match"));
    }
    Ok(&sealed[HEADER..])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const MAGIC: &[u8] = b"SLUICEML";
/// Version of the file's layout.
const FORMAT: u32 = 2;
/// Magic, format, features, length.
const HEADER: usize = 8 + 4 + 4 + 8;
const CHECKSUM: usize = 32;
const MOST_PANELS: usize = 64;

#[cfg(test)]
#[path = "params_tests.rs"]
mod tests;
